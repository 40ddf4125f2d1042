#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::dataset {

// A data set folder made by `ltml data import` (docs/dataset-format.md), opened by mmap.  Immutable
// and safe to read from many threads.
class Dataset {
 public:
  // Checks dataset.json, sizes of all files against it, and every offset.  NotFound or
  // InvalidArgument names the folder and the file, got against expected, and the cure.
  static absl::StatusOr<std::shared_ptr<const Dataset>> Open(const std::filesystem::path& folder);

  int64_t images() const;                                // N
  int classes() const;                                   // K
  const std::vector<std::string>& class_names() const;   // [K]
  const std::vector<int64_t>& class_counts() const;      // N_k, [K]
  const std::string& fingerprint() const;
  const std::filesystem::path& folder() const;

  // Classes of image i in [0, N), ascending.
  std::span<const uint32_t> labels(int64_t image) const;
  // Encoded bytes of image i.
  std::span<const std::byte> bytes(int64_t image) const;
  // The image's path as it stood in the imported list.
  std::string_view name(int64_t image) const;
};

}  // namespace ltml::dataset
