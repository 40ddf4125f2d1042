#include <fmt/format.h>

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/base/parallel.h"
#include "common/dataset/dataset.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/import.h"
#include "common/dataset/threads.h"
#include "common/image/image.h"

namespace ltml::dataset {
namespace {

// Reasons by image of [begin, end); empty for a whole picture.
std::vector<std::string> DecodeRange(const Dataset& dataset, int64_t begin, int64_t end) {
  std::vector<std::string> reasons(end - begin);
  base::ParallelFor(end - begin, WorkerThreads(), [&](int64_t i) {
    const auto picture = image::Decode(dataset.bytes(begin + i), {});
    if (!picture.ok()) reasons[i] = std::string(picture.status().message());
  });
  return reasons;
}

class Checker {
 public:
  explicit Checker(const Dataset& dataset)
      : dataset_(dataset), fingerprint_(dataset.class_names()) {}

  void Add(int64_t image, const std::string& reason) {
    const std::string name(dataset_.name(image));
    const auto bytes = dataset_.bytes(image);
    if (!reason.empty()) result_.bad_images.push_back(fmt::format("{}: {}", name, reason));
    if (dataset_.labels(image).empty()) result_.suspicious.push_back(name + ": no labels");
    // The map keeps views into the mapped shards: equal keys are equal bytes.
    const absl::string_view key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto [first, is_new] = pictures_.try_emplace(key, image);
    if (!is_new) {
      result_.suspicious.push_back(
          fmt::format("{}: the same picture as {}", name, dataset_.name(first->second)));
    }
    fingerprint_.AddImage(dataset_.labels(image), name, bytes);
  }

  CheckResult Finish() {
    for (int k = 0; k < dataset_.classes(); ++k) {
      if (dataset_.class_counts()[k] > 0) continue;
      result_.suspicious.push_back(fmt::format("class {}: no images", dataset_.class_names()[k]));
    }
    const std::string got = fingerprint_.Finish();
    if (got != dataset_.fingerprint()) {
      result_.bad_images.insert(
          result_.bad_images.begin(),
          fmt::format("{}: the content has changed since the import: fingerprint {}, expected {}",
                      dataset_.folder().string(), got, dataset_.fingerprint()));
    }
    return std::move(result_);
  }

 private:
  const Dataset& dataset_;
  Fingerprint fingerprint_;
  absl::flat_hash_map<absl::string_view, int64_t> pictures_;
  CheckResult result_;
};

}  // namespace

absl::StatusOr<CheckResult> Check(const Dataset& dataset,
                                  const std::function<void(int64_t, int64_t)>& progress) {
  Checker checker(dataset);
  for (int64_t begin = 0; begin < dataset.images(); begin += ChunkImages()) {
    const int64_t end = std::min(begin + ChunkImages(), dataset.images());
    const std::vector<std::string> reasons = DecodeRange(dataset, begin, end);
    for (int64_t image = begin; image < end; ++image) checker.Add(image, reasons[image - begin]);
    if (progress) progress(end, dataset.images());
  }
  return checker.Finish();
}

}  // namespace ltml::dataset
