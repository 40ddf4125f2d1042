#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/files.h"
#include "common/base/sha256.h"

namespace ltml::safetensors {

// The format: a 64-bit little-endian length, a JSON header of that length, then the tensors' bytes.
// The header maps each name to its type, shape and half-open range of bytes.

enum class Type { kFloat32, kFloat64, kInt64, kInt32, kUint8, kFloat16, kBfloat16, kBool };
int64_t BytesPerElement(Type type);
std::string_view TypeName(Type type);  // "F32", ...
std::optional<Type> TypeFromName(std::string_view name);

// A named tensor in somebody else's memory: contiguous, row-major, little-endian, at any alignment.
struct TensorView {
  std::string name;
  Type type = Type::kFloat32;
  std::vector<int64_t> shape;  // empty: one element
  std::span<const std::byte> bytes;
};

// Bytes that a tensor of this type and shape takes; nothing for a negative dimension or a size over
// int64.
std::optional<int64_t> BytesOf(Type type, std::span<const int64_t> shape);

// A safetensors file, mapped.  Open checks header size (<= 100 MB), JSON, types, shapes against
// offsets, overflow, and that the tensors tile the data without holes or overlap.  InvalidArgument
// names the file, the tensor and what is wrong; NotFound when there is no file.  Move-only; reading
// is thread-safe.  A file cut short while it is mapped is a fault of the process, as for any
// mapping.
class File {
 public:
  static absl::StatusOr<File> Open(const std::filesystem::path& file);
  // Sorted by name.  Views live as long as this object.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  // nullptr when absent.  O(log n).
  const TensorView* Find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  base::MappedFile mapped_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// What a writer tells its caller on the way.
struct WriteObserver {
  std::function<void()> tensor_written;  // after each tensor; may be empty
  base::Sha256* digest = nullptr;        // updated with every byte of the file, in order
};

// Writes a file that the reference implementation reads, synced to disk.  Tensors lie by descending
// element size, then by name, after a header padded to 8 bytes, so that each is aligned to its
// elements.  InvalidArgument for a name given twice or bytes that do not fit the shape; Internal
// with the operating system's reason.  Not atomic: the checkpoint folder around it is.
absl::Status Write(const std::filesystem::path& file, std::vector<TensorView> tensors,
                   const std::map<std::string, std::string>& metadata,
                   const WriteObserver& observer = {});

// The model digest: sha256 over tensors sorted by name, each as name, NUL, type name, NUL, rank and
// dimensions as 64-bit little-endian numbers, bytes.
std::string Digest(std::vector<TensorView> tensors);

}  // namespace ltml::safetensors
