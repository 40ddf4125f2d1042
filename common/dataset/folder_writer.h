#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/fingerprint.h"
#include "common/dataset/layout.h"
#include "common/dataset/shard_writer.h"
#include "common/sampling/class_lists.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::dataset {

// Writes the files of a data set into an empty folder.  Images keep the order in which they come.
// Memory: about 40 bytes an image, its name and its labels.  Not thread-safe.
class FolderWriter {
 public:
  FolderWriter(std::filesystem::path folder, std::vector<std::string> class_names,
               uint64_t shard_limit_bytes = ShardWriter::kLimitBytes);

  struct Item {
    std::string_view name;
    std::span<const uint32_t> classes;  // ascending, below K
    std::span<const std::byte> bytes;   // at least one
    std::string_view extension;         // of the member in the shard: "jpg"
  };
  absl::Status Add(const Item& item);

  int64_t images() const { return static_cast<int64_t>(entries_.size()); }

  // Writes labels.bin, classes.bin, index.bin and last dataset.json, all synced.  Call once, last.
  absl::StatusOr<v1::DatasetInfo> Finish();

 private:
  absl::Status WriteFiles(v1::DatasetInfo& info);
  sampling::ClassLists ListsByClass() const;

  std::filesystem::path folder_;
  std::vector<std::string> class_names_;
  std::vector<int64_t> class_counts_;
  std::vector<uint64_t> label_offsets_ = {0};
  std::vector<uint32_t> label_ids_;
  std::vector<IndexEntry> entries_;
  std::string names_;
  Fingerprint fingerprint_;
  ShardWriter shards_;
};

}  // namespace ltml::dataset
