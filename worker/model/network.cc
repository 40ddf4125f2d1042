#include "worker/model/network.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "common/base/status_macros.h"
#include "worker/model/autocast.h"
#include "worker/model/fused.h"
#include "worker/model/layers.h"
#include "worker/model/resnet.h"
#include "worker/model/tensor_io.h"
#include "worker/model/torch_status.h"

namespace ltml::model {
namespace {

absl::Status Check(const NetworkOptions& options) {
  if (options.classes < 1) {
    return absl::InvalidArgumentError(
        fmt::format("a network needs at least one class, got {}", options.classes));
  }
  if (options.width < 1) {
    return absl::InvalidArgumentError(
        fmt::format("model.width is {}, it must be at least 1", options.width));
  }
  for (const int hidden : options.head_layers) {
    if (hidden >= 1) continue;
    return absl::InvalidArgumentError(
        fmt::format("model.head_layers has a layer of {} units, each needs at least 1", hidden));
  }
  return absl::OkStatus();
}

// Rows [from, to), or nothing where there are none.
at::Tensor Rows(const at::Tensor& rows_BK, int64_t from, int64_t to) {
  if (!rows_BK.defined() || from == to) return {};
  return rows_BK.narrow(0, from, to - from);
}

// The torchvision name of a tensor of ours; empty for the heads, which torchvision does not have.
std::string PretrainedName(std::string_view name) {
  if (name.starts_with("trunk.")) return std::string(name.substr(6));
  if (name.substr(1).starts_with(".layer4.")) return std::string(name.substr(2));
  return "";
}

bool UseFused(const NetworkOptions& options) {
  return options.fused && options.type == at::kFloat && !options.bfloat16 &&
         options.device.is_cpu() && FusedIsAvailable();
}

KernelLayout LayoutOf(const NetworkOptions& options) {
  if (UseFused(options)) return KernelLayout::kFused;
  // On a processor bfloat16 is faster in channels last, float32 in LibTorch's own order.
  const bool plain = options.device.is_cpu() && !options.bfloat16;
  return plain ? KernelLayout::kPlain : KernelLayout::kChannelsLast;
}

}  // namespace

struct Network::Implementation {
  Implementation(const NetworkOptions& options_, uint64_t seed)
      : options(options_),
        plan(PlanOf(options.architecture, options.width)),
        use_fused(UseFused(options)),
        tensors(seed, at::TensorOptions(options.device).dtype(options.type), LayoutOf(options)),
        trunk(tensors, plan) {
    if (options.branches != Branches::kRebalanced) f.emplace(tensors, "f", plan, options);
    if (options.branches != Branches::kUniform) g.emplace(tensors, "g", plan, options);
    if (!use_fused) return;
    std::vector<const Stage*> stages;
    for (const Branch* branch : Present()) stages.push_back(&branch->layer4());
    fused = std::make_unique<FusedFeatures>(trunk, stages);
  }

  // Logits of both branches, [B, K], undefined where a branch is absent.
  struct Outputs {
    at::Tensor f, g;
  };
  Outputs Run(const at::Tensor& x_B3HW, Mode mode) const { return Heads(Features(x_B3HW, mode)); }
  // Pooled features of each branch, by LibTorch.
  std::vector<at::Tensor> Features(const at::Tensor& x_B3HW, Mode mode) const {
    std::optional<Autocast> autocast;
    if (options.bfloat16) autocast.emplace(options.device.type());
    const at::Tensor x_BCHW = trunk.Forward(x_B3HW, mode);
    std::vector<at::Tensor> features;
    for (const Branch* branch : Present()) {
      features.push_back(Branch::Pool(branch->layer4().Forward(x_BCHW, mode)));
    }
    return features;
  }
  // Over pooled features.
  Outputs Heads(const std::vector<at::Tensor>& features) const {
    size_t next = 0;
    return {f ? f->Head(features[next++]) : at::Tensor(),
            g ? g->Head(features[next++]) : at::Tensor()};
  }
  Logits RunFused(const at::Tensor& x_B3HW, int64_t uniform_images) const {
    const int uniform = static_cast<int>(uniform_images);
    const int rebalanced = static_cast<int>(x_B3HW.size(0)) - uniform;
    const bool apart = options.separate_bn_statistics && uniform > 0 && rebalanced > 0;
    const Outputs out =
        Heads(fused->Forward(x_B3HW, apart ? std::vector<int>{uniform, rebalanced}
                                           : std::vector<int>{uniform + rebalanced}));
    return Split(out, uniform_images, x_B3HW.size(0));
  }
  static Logits Split(const Outputs& out, int64_t uniform_images, int64_t images) {
    return {.u = Rows(out.f, 0, uniform_images),
            .u_hat = Rows(out.g, 0, uniform_images),
            .r = Rows(out.g, uniform_images, images),
            .r_hat = Rows(out.f, uniform_images, images)};
  }
  Logits RunTogether(const at::Tensor& x_B3HW, int64_t uniform_images, Mode mode) const {
    return Split(Run(x_B3HW, mode), uniform_images, x_B3HW.size(0));
  }
  Logits RunApart(const at::Tensor& x_B3HW, int64_t uniform_images, Mode mode) const {
    const Outputs u = Run(Rows(x_B3HW, 0, uniform_images), mode);
    const Outputs r = Run(Rows(x_B3HW, uniform_images, x_B3HW.size(0)), mode);
    return {.u = u.f, .u_hat = u.g, .r = r.g, .r_hat = r.f};
  }

  std::vector<const Branch*> Present() const {
    std::vector<const Branch*> present;
    if (f) present.push_back(&*f);
    if (g) present.push_back(&*g);
    return present;
  }

  const NetworkOptions options;
  const ResnetPlan plan;
  const bool use_fused;
  TensorList tensors;
  Trunk trunk;
  std::optional<Branch> f, g;
  std::unique_ptr<FusedFeatures> fused;
};

absl::StatusOr<std::unique_ptr<Network>> Network::Create(const NetworkOptions& options,
                                                         uint64_t seed) {
  LTML_RETURN_IF_ERROR(Check(options));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Network>> {
    return std::unique_ptr<Network>(new Network(std::make_unique<Implementation>(options, seed)));
  });
}

Network::Network(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

Network::~Network() = default;

Logits Network::Forward(const at::Tensor& x_B3HW, int64_t uniform_images) {
  if (implementation_->fused) return implementation_->RunFused(x_B3HW, uniform_images);
  const bool two_streams = uniform_images > 0 && uniform_images < x_B3HW.size(0);
  if (implementation_->options.separate_bn_statistics && two_streams) {
    return implementation_->RunApart(x_B3HW, uniform_images, Mode::kTraining);
  }
  return implementation_->RunTogether(x_B3HW, uniform_images, Mode::kTraining);
}

Logits Network::ForwardFrozen(const at::Tensor& x_B3HW, int64_t uniform_images) {
  return implementation_->RunTogether(x_B3HW, uniform_images, Mode::kFrozen);
}

at::Tensor Network::Predict(const at::Tensor& x_B3HW) {
  const at::NoGradGuard no_gradient;
  const auto [f, g] = implementation_->fused
                          ? implementation_->Heads(implementation_->fused->Predict(x_B3HW))
                          : implementation_->Run(x_B3HW, Mode::kFrozen);
  if (!f.defined()) return g.sigmoid();
  if (!g.defined()) return f.sigmoid();
  return (f.sigmoid() + g.sigmoid()) / 2;
}

const std::vector<NamedTensor>& Network::parameters() const {
  return implementation_->tensors.parameters();
}

bool Network::OverwritesGradient(int index) const {
  return implementation_->fused != nullptr &&
         !parameters()[index].name.substr(1).starts_with(".head");
}

const std::vector<NamedTensor>& Network::buffers() const {
  return implementation_->tensors.buffers();
}

absl::Status Network::LoadPretrained(const safetensors::File& file) {
  std::vector<NamedTensor> destinations;
  std::set<std::string, std::less<>> counters;
  for (const auto* list : {&parameters(), &buffers()}) {
    for (const auto& [name, tensor] : *list) {
      const std::string theirs = PretrainedName(name);
      if (theirs.empty()) continue;
      destinations.push_back({theirs, tensor});
      if (!theirs.ends_with(".running_mean")) continue;
      counters.insert(theirs.substr(0, theirs.rfind('.')) + ".num_batches_tracked");
    }
  }
  return CopyByName(file, "the file of pretrained weights", destinations,
                    {.convert = true, .ignore = [&](std::string_view name) {
                       return name.starts_with("fc.") || counters.contains(name);
                     }});
}

void Network::SetHeadBiasToPrior(const std::vector<int64_t>& class_counts, int64_t images) {
  std::vector<double> bias_K;
  const double least = 1 / (2 * static_cast<double>(images));
  for (const int64_t count : class_counts) {
    const double share = static_cast<double>(count) / static_cast<double>(images);
    const double rho = std::clamp(share, least, 1 - least);
    bias_K.push_back(std::log(rho / (1 - rho)));
  }
  const at::NoGradGuard no_gradient;
  for (const Branch* branch : implementation_->Present()) {
    branch->output_bias().copy_(at::tensor(bias_K, at::kDouble));
  }
}

void Network::SetHeadBiasToZero() {
  const at::NoGradGuard no_gradient;
  for (const Branch* branch : implementation_->Present()) branch->output_bias().zero_();
}

}  // namespace ltml::model
