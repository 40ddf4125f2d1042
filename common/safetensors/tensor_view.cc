#include <algorithm>
#include <array>

#include "common/safetensors/safetensors.h"

namespace ltml::safetensors {
namespace {

struct TypeFacts {
  Type type;
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<TypeFacts, 8> kTypes = {{{Type::kFloat32, "F32", 4},
                                              {Type::kFloat64, "F64", 8},
                                              {Type::kInt64, "I64", 8},
                                              {Type::kInt32, "I32", 4},
                                              {Type::kUint8, "U8", 1},
                                              {Type::kFloat16, "F16", 2},
                                              {Type::kBfloat16, "BF16", 2},
                                              {Type::kBool, "BOOL", 1}}};

const TypeFacts& FactsOf(Type type) { return *std::ranges::find(kTypes, type, &TypeFacts::type); }

}  // namespace

int64_t BytesPerElement(Type type) { return FactsOf(type).bytes; }

std::string_view TypeName(Type type) { return FactsOf(type).name; }

std::optional<Type> TypeFromName(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &TypeFacts::name);
  if (found == kTypes.end()) return std::nullopt;
  return found->type;
}

std::optional<int64_t> BytesOf(Type type, std::span<const int64_t> shape) {
  int64_t bytes = BytesPerElement(type);
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

std::string Digest(std::vector<TensorView> tensors) {
  std::ranges::sort(tensors, {}, &TensorView::name);
  constexpr std::string_view kNul("\0", 1);
  base::Sha256 digest;
  for (const TensorView& tensor : tensors) {
    digest.Update(tensor.name).Update(kNul).Update(TypeName(tensor.type)).Update(kNul);
    digest.Update(static_cast<uint64_t>(tensor.shape.size()));
    for (const int64_t size : tensor.shape) digest.Update(static_cast<uint64_t>(size));
    digest.Update(tensor.bytes);
  }
  return digest.HexDigest();
}

}  // namespace ltml::safetensors
