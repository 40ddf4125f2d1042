#include "common/dataset/shard_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/dataset/layout.h"

namespace ltml::dataset {
namespace {

constexpr uint64_t kBlock = 512;  // of a tar file

uint64_t Padded(uint64_t bytes) { return (bytes + kBlock - 1) / kBlock * kBlock; }

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

}  // namespace

void ShardWriter::Close::operator()(archive* handle) const { archive_write_free(handle); }

ShardWriter::ShardWriter(std::filesystem::path folder, uint64_t limit_bytes)
    : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}

ShardWriter::~ShardWriter() = default;

std::filesystem::path ShardWriter::CurrentFile() const { return folder_ / shards_.back().file(); }

absl::Status ShardWriter::Failure() const {
  const char* reason = archive_error_string(archive_.get());
  return absl::InternalError(fmt::format("cannot write '{}': {}", CurrentFile().string(),
                                         reason == nullptr ? "unknown reason" : reason));
}

absl::Status ShardWriter::StartShard() {
  const std::string name = ShardName(shards_.size());
  shards_.emplace_back().set_file(name);
  archive_.reset(archive_write_new());
  if (archive_ == nullptr) return absl::ResourceExhaustedError("no memory for a tar writer");
  // Unbuffered, so that the bytes written so far are the next member's offset.
  archive_write_set_bytes_per_block(archive_.get(), 0);
  archive_write_set_format_ustar(archive_.get());
  const int opened = archive_write_open_filename(archive_.get(), CurrentFile().c_str());
  return opened == ARCHIVE_OK ? absl::OkStatus() : Failure();
}

absl::Status ShardWriter::EndShard() {
  if (archive_ == nullptr) return absl::OkStatus();
  if (archive_write_close(archive_.get()) != ARCHIVE_OK) return Failure();
  archive_.reset();
  LTML_RETURN_IF_ERROR(base::SyncPath(CurrentFile()));
  std::error_code error;
  const auto bytes = std::filesystem::file_size(CurrentFile(), error);
  if (error) {
    return absl::InternalError(
        fmt::format("cannot examine '{}': {}", CurrentFile().string(), error.message()));
  }
  shards_.back().set_bytes(static_cast<int64_t>(bytes));
  return absl::OkStatus();
}

absl::Status ShardWriter::WriteMember(const std::string& member, std::span<const std::byte> bytes,
                                      uint64_t* offset) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  if (entry == nullptr) return absl::ResourceExhaustedError("no memory for a tar header");
  archive_entry_set_pathname(entry.get(), member.c_str());
  archive_entry_set_size(entry.get(), static_cast<int64_t>(bytes.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  if (archive_write_header(archive_.get(), entry.get()) != ARCHIVE_OK) return Failure();
  *offset = static_cast<uint64_t>(archive_filter_bytes(archive_.get(), -1));
  const la_ssize_t written = archive_write_data(archive_.get(), bytes.data(), bytes.size());
  if (written != static_cast<la_ssize_t>(bytes.size())) return Failure();
  if (archive_write_finish_entry(archive_.get()) != ARCHIVE_OK) return Failure();
  return absl::OkStatus();
}

absl::StatusOr<ShardWriter::Place> ShardWriter::Add(const std::string& member,
                                                    std::span<const std::byte> bytes) {
  if (archive_ != nullptr) {
    const auto used = static_cast<uint64_t>(archive_filter_bytes(archive_.get(), -1));
    // A member takes a header and whole blocks; two more blocks end the file.
    if (used + 3 * kBlock + Padded(bytes.size()) > limit_bytes_) LTML_RETURN_IF_ERROR(EndShard());
  }
  if (archive_ == nullptr) LTML_RETURN_IF_ERROR(StartShard());
  Place place;
  place.shard = static_cast<uint32_t>(shards_.size() - 1);
  LTML_RETURN_IF_ERROR(WriteMember(member, bytes, &place.offset));
  return place;
}

absl::StatusOr<std::vector<v1::ShardInfo>> ShardWriter::Finish() {
  LTML_RETURN_IF_ERROR(EndShard());
  return std::move(shards_);
}

}  // namespace ltml::dataset
