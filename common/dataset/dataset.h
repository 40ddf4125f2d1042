#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/files.h"
#include "common/dataset/layout.h"
#include "common/sampling/class_lists.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::dataset {

// A data set folder made by `ltml data import` (docs/dataset-format.md), opened by mmap.  Immutable
// and safe to read from many threads.  Labels, bytes and name of an image cost O(1).
class Dataset {
 public:
  // Checks dataset.json, sizes of all files against it, and every offset; O(images), without
  // reading a picture.  NotFound or InvalidArgument names the folder and the file, got against
  // expected, and the cure.
  static absl::StatusOr<std::shared_ptr<const Dataset>> Open(const std::filesystem::path& folder);

  int64_t images() const { return info_.images(); }                             // N
  int classes() const { return info_.classes_size(); }                          // K
  const std::vector<std::string>& class_names() const { return class_names_; }  // [K]
  const std::vector<int64_t>& class_counts() const { return class_counts_; }    // N_k, [K]
  const std::string& fingerprint() const { return info_.fingerprint(); }
  const std::filesystem::path& folder() const { return folder_; }
  // dataset.json.
  const v1::DatasetInfo& info() const { return info_; }

  // Classes of image i in [0, N), ascending.
  std::span<const uint32_t> labels(int64_t image) const;
  // The images of each class.
  sampling::ClassListsView class_lists() const { return class_lists_; }
  // Encoded bytes of image i.
  std::span<const std::byte> bytes(int64_t image) const;
  // The image's path as it stood in the imported list.
  std::string_view name(int64_t image) const;

 private:
  Dataset() = default;
  absl::Status OpenFiles();
  absl::Status OpenClassLists();

  std::filesystem::path folder_;
  v1::DatasetInfo info_;
  std::vector<std::string> class_names_;
  std::vector<int64_t> class_counts_;
  base::MappedFile labels_file_;
  base::MappedFile classes_file_;
  base::MappedFile index_file_;
  std::vector<base::MappedFile> shards_;
  LabelsView labels_;
  sampling::ClassLists made_lists_;  // of a folder without classes.bin
  sampling::ClassListsView class_lists_;
  IndexView index_;
};

}  // namespace ltml::dataset
