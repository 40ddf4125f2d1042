#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/sampling/class_lists.h"
#include "ltml/v1/dataset.pb.h"

// Bytes of labels.bin, classes.bin and index.bin (docs/dataset-format.md).  All numbers are
// little-endian.
namespace ltml::dataset {

inline constexpr int kFormatVersion = 1;
inline constexpr std::string_view kInfoFile = "dataset.json";
inline constexpr std::string_view kLabelsFile = "labels.bin";
inline constexpr std::string_view kClassesFile = "classes.bin";
inline constexpr std::string_view kIndexFile = "index.bin";

// "shard-00007.tar".
std::string ShardName(size_t shard);

// Where one image lies.
struct IndexEntry {
  uint64_t offset = 0;       // of its first byte in the shard
  uint64_t length = 0;       // bytes, at least 1
  uint64_t name_offset = 0;  // in the names at the end of the file
  uint32_t shard = 0;
  uint32_t name_length = 0;  // bytes
};
static_assert(sizeof(IndexEntry) == 32);

// Row i holds class_ids[offsets[i] .. offsets[i + 1]), ascending.
struct LabelsView {
  std::span<const uint64_t> offsets;    // [N + 1]
  std::span<const uint32_t> class_ids;  // [sum of labels]
};

struct IndexView {
  std::span<const IndexEntry> entries;  // [N]
  std::string_view names;
};

std::string EncodeLabels(int classes, std::span<const uint64_t> offsets,
                         std::span<const uint32_t> class_ids);
std::string EncodeClasses(int64_t images, const sampling::ClassListsView& lists);
std::string EncodeIndex(size_t shards, std::span<const IndexEntry> entries, std::string_view names);

// Views into `bytes`, which must be aligned to 8 and outlive them.  Magic, version, size and every
// offset are checked against `info`; labels and classes also against its class counts.
// InvalidArgument says what differs, got against expected, without naming the file.
absl::StatusOr<LabelsView> DecodeLabels(std::span<const std::byte> bytes,
                                        const v1::DatasetInfo& info);
absl::StatusOr<sampling::ClassListsView> DecodeClasses(std::span<const std::byte> bytes,
                                                       const v1::DatasetInfo& info);
absl::StatusOr<IndexView> DecodeIndex(std::span<const std::byte> bytes,
                                      const v1::DatasetInfo& info);

// The parts of dataset.json that need no other file: version, counts, names, shard names.
absl::Status CheckInfo(const v1::DatasetInfo& info);

}  // namespace ltml::dataset
