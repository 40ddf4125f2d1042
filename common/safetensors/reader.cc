#include <fmt/format.h>

#include <algorithm>

#include "common/base/status_macros.h"
#include "common/safetensors/header.h"
#include "common/safetensors/safetensors.h"

namespace ltml::safetensors {
namespace {

absl::StatusOr<int64_t> HeaderBytes(std::span<const std::byte> bytes) {
  if (std::ssize(bytes) < kLengthBytes) {
    return absl::InvalidArgumentError(fmt::format(
        "it has {} bytes, fewer than the {} of the header's length", bytes.size(), kLengthBytes));
  }
  uint64_t length = 0;
  for (int i = 0; i < kLengthBytes; ++i) length |= static_cast<uint64_t>(bytes[i]) << (8 * i);
  if (length > static_cast<uint64_t>(kMostHeaderBytes)) {
    return absl::InvalidArgumentError(fmt::format(
        "its header claims {} bytes, more than the {} allowed", length, kMostHeaderBytes));
  }
  const int64_t available = std::ssize(bytes) - kLengthBytes;
  if (static_cast<int64_t>(length) > available) {
    return absl::InvalidArgumentError(fmt::format(
        "its header claims {} bytes, but only {} follow: it was cut short", length, available));
  }
  return static_cast<int64_t>(length);
}

struct Parts {
  Header header;
  std::span<const std::byte> data;
};

absl::StatusOr<Parts> Parse(std::span<const std::byte> bytes) {
  LTML_ASSIGN_OR_RETURN(const int64_t length, HeaderBytes(bytes));
  const auto json = bytes.subspan(kLengthBytes, length);
  Parts parts{.header = {}, .data = bytes.subspan(kLengthBytes + length)};
  LTML_ASSIGN_OR_RETURN(parts.header,
                        ParseHeader({reinterpret_cast<const char*>(json.data()), json.size()},
                                    std::ssize(parts.data)));
  return parts;
}

}  // namespace

absl::StatusOr<File> File::Open(const std::filesystem::path& path) {
  File file;
  LTML_ASSIGN_OR_RETURN(file.mapped_, base::MappedFile::Open(path));
  absl::StatusOr<Parts> parts = Parse(file.mapped_.bytes());
  if (!parts.ok()) {
    return absl::InvalidArgumentError(fmt::format("'{}' is no valid safetensors file: {}",
                                                  path.string(),
                                                  std::string(parts.status().message())));
  }
  for (Entry& entry : parts->header.entries) {
    file.tensors_.push_back({std::move(entry.name), entry.type, std::move(entry.shape),
                             parts->data.subspan(entry.begin, entry.end - entry.begin)});
  }
  std::ranges::sort(file.tensors_, {}, &TensorView::name);
  file.metadata_ = std::move(parts->header.metadata);
  return file;
}

const TensorView* File::Find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(tensors_, name, {}, &TensorView::name);
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

}  // namespace ltml::safetensors
