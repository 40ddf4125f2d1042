#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/safetensors/safetensors.h"

namespace ltml::model {

enum class Architecture { kResnet18, kResnet34, kResnet50, kResnet101 };
enum class Branches { kBoth, kUniform, kRebalanced };

struct NetworkOptions {
  Architecture architecture = Architecture::kResnet50;
  int width = 64;                // channels after the stem
  int classes = 0;               // K
  std::vector<int> head_layers;  // hidden sizes of the MLP heads
  Branches branches = Branches::kBoth;
  bool separate_bn_statistics = false;
  at::ScalarType type = at::kFloat;  // kDouble in tests
  // Convolutions and batch norm by our own kernels (worker/engine) where the type is float32 and
  // the processor has AVX2; otherwise by LibTorch.
  bool fused = true;
};

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// Logits [B_u, K] and [B_r, K]; undefined tensors where a branch or stream is absent.
struct Logits {
  at::Tensor u, u_hat, r, r_hat;
};

// The dual-branch residual network: trunk (stem .. layer3), and per branch layer4, pooling and
// head. Names are trunk.*, f.layer4.*, f.head.*, g.layer4.*, g.head.* with torchvision's names
// below. A single-branch network has f (uniform) or g (re-balanced) alone.  An MLP head's layers
// are head.0, head.2, ...; a linear head's is head.  Not thread-safe.  Forward, ForwardFrozen and
// Predict throw c10::Error for input that does not fit or when memory runs out.
class Network {
 public:
  // Weights as torchvision initialises them, drawn from `seed` and the tensor's name: equal on
  // every machine and rank.  InvalidArgument for options out of range.
  static absl::StatusOr<std::unique_ptr<Network>> Create(const NetworkOptions& options,
                                                         uint64_t seed);
  ~Network();

  // Training forward (batch norm over the batch, running statistics updated), with gradients.
  // x is [B_u + B_r, 3, H, W], uniform rows first.  One pass over all rows, so that batch norm sees
  // both streams; separate_bn_statistics makes two.
  Logits Forward(const at::Tensor& x_B3HW, int64_t uniform_images);
  // The same with running statistics (batch norm in evaluation mode), with gradients.
  Logits ForwardFrozen(const at::Tensor& x_B3HW, int64_t uniform_images);
  // (s(f(x)) + s(g(x))) / 2, or s of the one branch: [B, K], no gradient.
  at::Tensor Predict(const at::Tensor& x_B3HW);

  // Trainable tensors in order of execution: trunk, then f, then g.  Leaves with requires_grad.
  // Kernels of convolutions may lie in memory in another order than their shape says.
  const std::vector<NamedTensor>& parameters() const;
  // Whether backward overwrites the gradient of parameter `index`, instead of adding to it.
  bool OverwritesGradient(int index) const;
  // Running means and variances, in order of execution.
  const std::vector<NamedTensor>& buffers() const;

  // Loads torchvision-named weights into the trunk, layer4 into each branch; fc.* is ignored.
  // InvalidArgument names every missing, extra or misshaped tensor; nothing is loaded then.
  absl::Status LoadPretrained(const safetensors::File& file);
  // Output biases := log(rho / (1 - rho)), rho clamped to [1 / (2N), 1 - 1 / (2N)].  K counts.
  void SetHeadBiasToPrior(const std::vector<int64_t>& class_counts, int64_t images);
  // Output biases := 0.
  void SetHeadBiasToZero();

 private:
  struct Implementation;
  explicit Network(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ltml::model
