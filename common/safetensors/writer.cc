#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "common/base/descriptor.h"
#include "common/base/status_macros.h"
#include "common/safetensors/header.h"
#include "common/safetensors/safetensors.h"

namespace ltml::safetensors {
namespace {

// A file being written, whose bytes also go to a digest.
class Output {
 public:
  Output(const std::filesystem::path& path, base::Sha256* digest)
      : path_(path),
        descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)),
        digest_(digest) {
    if (!descriptor_.open()) error_ = errno;
  }

  absl::Status Opened() const {
    return descriptor_.open() ? absl::OkStatus() : Failed("cannot create", error_);
  }

  absl::Status Append(std::span<const std::byte> bytes) {
    if (digest_ != nullptr) digest_->Update(bytes);
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_.number(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("cannot write", errno);
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() {
    return ::fsync(descriptor_.number()) == 0 ? absl::OkStatus() : Failed("cannot sync", errno);
  }

 private:
  absl::Status Failed(std::string_view what, int error) const {
    return absl::InternalError(
        fmt::format("{} '{}': {}", what, path_.string(), std::generic_category().message(error)));
  }

  const std::filesystem::path path_;
  const base::Descriptor descriptor_;
  base::Sha256* const digest_;
  int error_ = 0;
};

absl::Status CheckTensors(std::span<const TensorView> tensors) {
  std::vector<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    if (BytesOf(tensor.type, tensor.shape) != std::ssize(tensor.bytes)) {
      return absl::InvalidArgumentError(
          fmt::format("tensor '{}' has {} bytes, which is not {} [{}]", tensor.name,
                      tensor.bytes.size(), TypeName(tensor.type), fmt::join(tensor.shape, ", ")));
    }
    names.push_back(tensor.name);
  }
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) {
    return absl::InvalidArgumentError(fmt::format("two tensors are named '{}'", *twice));
  }
  if (!std::ranges::binary_search(names, kMetadataKey)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("'{}' is no name for a tensor: the format uses it", kMetadataKey));
}

// Larger elements first, so that none lies across its alignment.
void SortForAlignment(std::vector<TensorView>& tensors) {
  std::ranges::sort(tensors, [](const TensorView& a, const TensorView& b) {
    const int64_t bytes_a = BytesPerElement(a.type), bytes_b = BytesPerElement(b.type);
    return bytes_a != bytes_b ? bytes_a > bytes_b : a.name < b.name;
  });
}

Header HeaderOf(std::span<const TensorView> tensors,
                const std::map<std::string, std::string>& metadata) {
  Header header{.entries = {}, .metadata = metadata};
  int64_t begin = 0;
  for (const TensorView& tensor : tensors) {
    const int64_t end = begin + std::ssize(tensor.bytes);
    header.entries.push_back({tensor.name, tensor.type, tensor.shape, begin, end});
    begin = end;
  }
  return header;
}

}  // namespace

absl::Status Write(const std::filesystem::path& file, std::vector<TensorView> tensors,
                   const std::map<std::string, std::string>& metadata,
                   const WriteObserver& observer) {
  LTML_RETURN_IF_ERROR(CheckTensors(tensors));
  SortForAlignment(tensors);
  Output output(file, observer.digest);
  LTML_RETURN_IF_ERROR(output.Opened());
  const std::string header = PrintHeader(HeaderOf(tensors, metadata));
  LTML_RETURN_IF_ERROR(output.Append(std::as_bytes(std::span(header))));
  for (const TensorView& tensor : tensors) {
    LTML_RETURN_IF_ERROR(output.Append(tensor.bytes));
    if (observer.tensor_written) observer.tensor_written();
  }
  return output.Sync();
}

}  // namespace ltml::safetensors
