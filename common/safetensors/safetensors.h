#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/files.h"

namespace ltml::safetensors {

enum class Type { kFloat32, kFloat64, kInt64, kInt32, kUint8, kFloat16, kBfloat16, kBool };
int64_t BytesPerElement(Type type);
std::string_view TypeName(Type type);  // "F32", ...

// A named tensor in somebody else's memory: contiguous, row-major, little-endian.
struct TensorView {
  std::string name;
  Type type = Type::kFloat32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

// A safetensors file, mapped.  Open checks header size (<= 100 MB), JSON, types, shapes against
// offsets, overflow, and that the tensors tile the data without holes or overlap.  InvalidArgument
// names the file, the tensor and what is wrong.
class File {
 public:
  static absl::StatusOr<File> Open(const std::filesystem::path& file);
  // Sorted by name.  Views live as long as this object.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  // nullptr when absent.
  const TensorView* Find(std::string_view name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  base::MappedFile mapped_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// Writes a file that the reference implementation reads; tensors sorted by name, synced to disk.
// Not atomic: the checkpoint folder around it is.
absl::Status Write(const std::filesystem::path& file, std::vector<TensorView> tensors,
                   const std::map<std::string, std::string>& metadata);

// The model digest: sha256 over tensors sorted by name, each as name, NUL, type name, NUL, rank and
// dimensions as 64-bit little-endian numbers, bytes.
std::string Digest(std::vector<TensorView> tensors);

}  // namespace ltml::safetensors
