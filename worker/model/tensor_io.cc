#include "worker/model/tensor_io.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "worker/model/kernel_layout.h"
#include "worker/model/torch_status.h"

namespace ltml::model {
namespace {

using safetensors::TensorView;

constexpr std::array<std::pair<safetensors::Type, at::ScalarType>, 8> kTypes = {
    {{safetensors::Type::kFloat32, at::kFloat},
     {safetensors::Type::kFloat64, at::kDouble},
     {safetensors::Type::kInt64, at::kLong},
     {safetensors::Type::kInt32, at::kInt},
     {safetensors::Type::kUint8, at::kByte},
     {safetensors::Type::kFloat16, at::kHalf},
     {safetensors::Type::kBfloat16, at::kBFloat16},
     {safetensors::Type::kBool, at::kBool}}};

at::ScalarType TorchType(safetensors::Type type) {
  for (const auto& [stored, torch] : kTypes) {
    if (stored == type) return torch;
  }
  return at::ScalarType::Undefined;
}

safetensors::Type StoredType(const NamedTensor& named) {
  for (const auto& [stored, torch] : kTypes) {
    if (torch == named.tensor.scalar_type()) return stored;
  }
  TORCH_CHECK(false, "tensor '", named.name,
              "' has a type that no file of ours holds: ", named.tensor.scalar_type());
}

// A copy, because the bytes of a file may lie at any alignment.
at::Tensor ToTensor(const TensorView& view) {
  at::Tensor tensor = at::empty(view.shape, at::TensorOptions().dtype(TorchType(view.type)));
  if (!view.bytes.empty())
    std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
  return tensor;
}

bool TypesAgree(at::ScalarType stored, at::ScalarType wanted, bool convert) {
  return stored == wanted || (convert && at::isFloatingType(stored) && at::isFloatingType(wanted));
}

std::string Describe(at::ScalarType type, at::IntArrayRef shape) {
  return fmt::format("{} [{}]", c10::toString(type), fmt::join(shape, ", "));
}

struct Faults {
  std::set<std::string> missing, extra, misshaped;

  absl::Status ToStatus(std::string_view where) const {
    std::vector<std::string> parts;
    if (!missing.empty()) parts.push_back(fmt::format("missing: {}", fmt::join(missing, ", ")));
    if (!extra.empty()) parts.push_back(fmt::format("unexpected: {}", fmt::join(extra, ", ")));
    if (!misshaped.empty())
      parts.push_back(fmt::format("misshaped: {}", fmt::join(misshaped, ", ")));
    if (parts.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        fmt::format("{} does not fit the network, nothing was loaded; {}; check "
                    "model.architecture, model.width "
                    "and the classes",
                    where, fmt::join(parts, "; ")));
  }
};

Faults Compare(const safetensors::File& file, const std::vector<NamedTensor>& destinations,
               const CopyRules& rules) {
  Faults faults;
  std::set<std::string, std::less<>> wanted;
  for (const auto& [name, tensor] : destinations) {
    wanted.insert(name);
    const TensorView* view = file.Find(name);
    if (view == nullptr) {
      faults.missing.insert(name);
    } else if (!TypesAgree(TorchType(view->type), tensor.scalar_type(), rules.convert) ||
               tensor.sizes() != at::IntArrayRef(view->shape)) {
      faults.misshaped.insert(fmt::format("{} ({}, expected {})", name,
                                          Describe(TorchType(view->type), view->shape),
                                          Describe(tensor.scalar_type(), tensor.sizes())));
    }
  }
  for (const TensorView& view : file.tensors()) {
    if (wanted.contains(view.name) || (rules.ignore && rules.ignore(view.name))) continue;
    faults.extra.insert(view.name);
  }
  return faults;
}

}  // namespace

HostTensors::HostTensors(const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& named : tensors) {
    const at::Tensor& host = kept_.emplace_back(Contiguous(named.tensor.detach().cpu()));
    views_.push_back({named.name,
                      StoredType(named),
                      host.sizes().vec(),
                      {static_cast<const std::byte*>(host.const_data_ptr()), host.nbytes()}});
  }
}

absl::Status CopyByName(const safetensors::File& file, std::string_view where,
                        const std::vector<NamedTensor>& destinations, const CopyRules& rules) {
  if (absl::Status fits = Compare(file, destinations, rules).ToStatus(where); !fits.ok())
    return fits;
  return CatchTorch([&] {
    const at::NoGradGuard no_gradient;
    for (const auto& [name, tensor] : destinations) tensor.copy_(ToTensor(*file.Find(name)));
    return absl::OkStatus();
  });
}

}  // namespace ltml::model
