#pragma once

#include <cstdint>
#include <vector>

#include "worker/kernels/isa.h"
#include "worker/kernels/memory.h"

namespace ltml::kernels {

// A map as batch norm sees it: its images in one or more groups, each with statistics of its own.
struct NormShape {
  int channels = 0;
  int64_t pixels = 0;       // of an image
  std::vector<int> groups;  // images of each, at least 1
};

// Parameters and running statistics, [channels] each.
struct NormTensors {
  const float *weight = nullptr, *bias = nullptr;
  float *running_mean = nullptr, *running_variance = nullptr;
};
struct NormGradients {
  float *weight = nullptr, *bias = nullptr;
};

// Batch norm (Ioffe & Szegedy 2015) over the channels of a map, followed by a rectifier: momentum
// 0.1, epsilon 1e-5, the running variance unbiased.  Sums over pixels are float32 within fixed
// chunks and double beyond: the same bits for any number of threads.  One object a layer; not
// thread-safe.
class BatchNorm {
 public:
  // `scratch` must outlive the object; layers that run one after the other share it.
  BatchNorm(NormShape shape, const Isa& isa, Scratch& scratch);

  // From y itself, group after group; moves the running statistics.
  void TakeStatistics(const float* y, const NormTensors& tensors);
  // The running statistics, for all groups.
  void UseRunningStatistics(const NormTensors& tensors);

  // z = max(0, norm(y) + shortcut); the shortcut is nothing, a map x, or x through a norm of its
  // own.
  struct Shortcut {
    const float* x = nullptr;
    const BatchNorm* norm = nullptr;
  };
  void Forward(const float* y, const Shortcut& shortcut, float* z) const;

  // Gradient of Forward after TakeStatistics.  dz becomes g = dz where z > 0, else 0, the gradient
  // of the shortcut; y becomes the gradient of y.  z may be null where there is no shortcut.  A
  // shortcut with a norm: its x becomes the gradient of x.
  struct Normed {
    float* y = nullptr;
    BatchNorm* norm = nullptr;
    NormGradients gradients;
  };
  void Backward(float* dz, const float* z, float* y, const NormGradients& gradients,
                const Normed* shortcut = nullptr);

  // Normalisation is y -> y scale + shift, [padded channels].
  const float* scale(int group) const { return Line(scale_, group); }
  const float* shift(int group) const { return Line(shift_, group); }
  const NormShape& shape() const { return shape_; }

 private:
  const float* Line(const std::vector<float>& lines, int group) const {
    return lines.data() + int64_t{group} * padded_;
  }
  struct Moments {
    std::vector<double> mean, variance;  // [channels]
  };
  Moments MomentsOf(const float* y, int64_t pixels) const;
  void SetLines(int group, const NormTensors& tensors, const Moments& moments);
  // dz and y of the group, after the sums over it.
  void BackwardGroup(int group, const float* g, const std::vector<double>& sum_g,
                     const std::vector<double>& sum_gy, float* y, const NormGradients& gradients);
  int64_t Pixels(int group) const { return shape_.groups[group] * shape_.pixels; }
  int groups() const { return static_cast<int>(shape_.groups.size()); }

  const NormShape shape_;
  const Isa& isa_;
  Scratch& scratch_;
  const int padded_;
  std::vector<float> mean_, inverse_, scale_, shift_;  // [groups][padded]
};

}  // namespace ltml::kernels
