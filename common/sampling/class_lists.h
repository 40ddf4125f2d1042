#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ltml::sampling {

// A data set whose images are listed by class has at most so many.
inline constexpr int64_t kMaxListedImages = int64_t{1} << 32;

// The images that carry each class, as one flat list in the order of the data set, in somebody
// else's memory (a mapped file, ClassLists).
struct ClassListsView {
  std::span<const int64_t> offsets;  // [K + 1]; class k is images[offsets[k] .. offsets[k + 1])
  std::span<const uint32_t> images;

  int classes() const { return offsets.empty() ? 0 : static_cast<int>(offsets.size()) - 1; }
  // N_k.
  int64_t count(int class_index) const { return offsets[class_index + 1] - offsets[class_index]; }
};

// The same in its own memory.
struct ClassLists {
  std::vector<int64_t> offsets;
  std::vector<uint32_t> images;

  ClassListsView view() const { return {offsets, images}; }
  // NOLINTNEXTLINE(google-explicit-constructor): as a string is a string_view
  operator ClassListsView() const { return view(); }
};

// Lists of `classes` classes over images 0 .. images - 1.  `labels_of(image)` returns a range of
// the image's distinct class indices, each in [0, classes); it is called twice for every image.
// images <= kMaxListedImages.
// O(images + labels).
//
//   const ClassLists lists = MakeClassLists(data.size(), data.classes(),
//                                           [&](int64_t i) { return data.labels(i); });
template <typename LabelsOf>
ClassLists MakeClassLists(int64_t images, int classes, LabelsOf&& labels_of) {
  assert(images <= kMaxListedImages);
  ClassLists lists;
  lists.offsets.assign(static_cast<size_t>(classes) + 1, 0);
  for (int64_t image = 0; image < images; ++image) {
    for (const auto label : labels_of(image)) {
      assert(static_cast<int64_t>(label) >= 0 && static_cast<int64_t>(label) < classes);
      ++lists.offsets[static_cast<size_t>(label) + 1];
    }
  }
  for (int k = 0; k < classes; ++k) lists.offsets[k + 1] += lists.offsets[k];
  lists.images.resize(lists.offsets.back());
  std::vector<int64_t> next(lists.offsets.begin(), lists.offsets.end() - 1);
  for (int64_t image = 0; image < images; ++image) {
    for (const auto label : labels_of(image)) {
      lists.images[next[static_cast<size_t>(label)]++] = static_cast<uint32_t>(image);
    }
  }
  return lists;
}

}  // namespace ltml::sampling
