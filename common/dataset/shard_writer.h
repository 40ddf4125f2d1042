#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/dataset.pb.h"

struct archive;

namespace ltml::dataset {

// Writes ordinary tar files shard-00000.tar, shard-00001.tar, ... of at most `limit_bytes` each
// (one member may be larger, and then has a shard of its own).  Headers carry no time and no owner,
// so equal members give equal bytes.  Not thread-safe.
class ShardWriter {
 public:
  static constexpr uint64_t kLimitBytes = uint64_t{256} << 20;

  explicit ShardWriter(std::filesystem::path folder, uint64_t limit_bytes = kLimitBytes);
  ~ShardWriter();

  // Where a member's bytes begin.
  struct Place {
    uint32_t shard = 0;
    uint64_t offset = 0;
  };
  // Internal names the shard and the system's reason.
  absl::StatusOr<Place> Add(const std::string& member, std::span<const std::byte> bytes);

  // Ends and syncs the last shard; returns all of them.  Call once, last.
  absl::StatusOr<std::vector<v1::ShardInfo>> Finish();

 private:
  struct Close {
    void operator()(archive* handle) const;
  };
  std::filesystem::path CurrentFile() const;
  absl::Status StartShard();
  absl::Status EndShard();
  absl::Status WriteMember(const std::string& member, std::span<const std::byte> bytes,
                           uint64_t* offset);
  absl::Status Failure() const;

  std::filesystem::path folder_;
  uint64_t limit_bytes_;
  std::unique_ptr<archive, Close> archive_;
  std::vector<v1::ShardInfo> shards_;
};

}  // namespace ltml::dataset
