#include "worker/kernels/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/kernels/convolution.h"
#include "worker/kernels/parallel.h"

namespace ltml::kernels {
namespace {

constexpr double kMomentum = 0.1, kEpsilon = 1e-5;
// Pixels that are summed in float32, and channels of a thread's turn.
constexpr int kChunkPixels = 128;
constexpr int kChunkChannels = 64;

// Pixels x channels cut into cells, always the same ones.
class Cells {
 public:
  Cells(int64_t pixels, int padded)
      : pixels_(pixels),
        padded_(padded),
        chunks_((pixels + kChunkPixels - 1) / kChunkPixels),
        blocks_((padded + kChunkChannels - 1) / kChunkChannels) {}

  int64_t chunks() const { return chunks_; }

  // body(cell, offset in the map, first channel, offset in [chunks][padded])
  template <typename Body>
  void ForEachCell(const Body& body) const {
    ForEach(chunks_ * blocks_, [&](int64_t i) {
      const int64_t chunk = i / blocks_;
      const int channel = static_cast<int>(i % blocks_) * kChunkChannels;
      const int64_t pixel = chunk * kChunkPixels;
      const Cell cell = {.count = std::min<int64_t>(kChunkPixels, pixels_ - pixel),
                         .channels = std::min(kChunkChannels, padded_ - channel),
                         .pitch = padded_};
      body(cell, pixel * padded_ + channel, channel, chunk * padded_ + channel);
    });
  }

  // Sums over the chunks, in order.
  std::vector<double> Total(const float* sums) const {
    std::vector<double> total(padded_, 0.0);
    for (int64_t chunk = 0; chunk < chunks_; ++chunk, sums += padded_) {
      for (int c = 0; c < padded_; ++c) total[c] += static_cast<double>(sums[c]);
    }
    return total;
  }

 private:
  const int64_t pixels_;
  const int padded_;
  const int64_t chunks_;
  const int blocks_;
};

}  // namespace

BatchNorm::BatchNorm(NormShape shape, const Isa& isa, Scratch& scratch)
    : shape_(std::move(shape)),
      isa_(isa),
      scratch_(scratch),
      padded_(PaddedChannels(shape_.channels)) {
  scratch_.Prepare(1);
  for (auto* lines : {&mean_, &inverse_, &scale_, &shift_}) {
    lines->assign(int64_t{groups()} * padded_, 0.0f);
  }
}

// About the first pixel, which is as good a guess of the mean as any.
BatchNorm::Moments BatchNorm::MomentsOf(const float* y, int64_t pixels) const {
  const Cells cells(pixels, padded_);
  const int64_t floats = cells.chunks() * padded_;
  float* const sums = scratch_.Take(0, 2 * floats);
  float* const squares = sums + floats;
  cells.ForEachCell([&](const Cell& cell, int64_t at, int channel, int64_t sum_at) {
    isa_.norm_sums(cell, y + at, y + channel, sums + sum_at, squares + sum_at);
  });
  const std::vector<double> sum = cells.Total(sums), square = cells.Total(squares);
  Moments moments;
  const auto n = static_cast<double>(pixels);
  for (int c = 0; c < shape_.channels; ++c) {
    const double offset = sum[c] / n;
    moments.mean.push_back(static_cast<double>(y[c]) + offset);
    moments.variance.push_back(square[c] / n - offset * offset);
  }
  return moments;
}

void BatchNorm::SetLines(int group, const NormTensors& tensors, const Moments& moments) {
  const int64_t line = int64_t{group} * padded_;
  for (int c = 0; c < shape_.channels; ++c) {
    // max would turn a NaN into 0.
    const double variance = moments.variance[c] < 0 ? 0 : moments.variance[c];
    const double inverse = 1 / std::sqrt(variance + kEpsilon);
    const double scale = static_cast<double>(tensors.weight[c]) * inverse;
    mean_[line + c] = static_cast<float>(moments.mean[c]);
    inverse_[line + c] = static_cast<float>(inverse);
    scale_[line + c] = static_cast<float>(scale);
    shift_[line + c] =
        static_cast<float>(static_cast<double>(tensors.bias[c]) - moments.mean[c] * scale);
  }
}

void BatchNorm::TakeStatistics(const float* y, const NormTensors& tensors) {
  for (int group = 0; group < groups(); ++group) {
    const Moments moments = MomentsOf(y, Pixels(group));
    SetLines(group, tensors, moments);
    y += Pixels(group) * padded_;
    const auto n = static_cast<double>(Pixels(group));
    const auto move = [](float& running, double value) {
      running = static_cast<float>((1 - kMomentum) * running + kMomentum * value);
    };
    for (int c = 0; c < shape_.channels; ++c) {
      move(tensors.running_mean[c], moments.mean[c]);
      move(tensors.running_variance[c], moments.variance[c] * n / (n - 1));
    }
  }
}

void BatchNorm::UseRunningStatistics(const NormTensors& tensors) {
  const Moments moments = {
      .mean = {tensors.running_mean, tensors.running_mean + shape_.channels},
      .variance = {tensors.running_variance, tensors.running_variance + shape_.channels}};
  for (int group = 0; group < groups(); ++group) SetLines(group, tensors, moments);
}

void BatchNorm::Forward(const float* y, const Shortcut& shortcut, float* z) const {
  int64_t first = 0;
  for (int group = 0; group < groups(); ++group) {
    Cells(Pixels(group), padded_)
        .ForEachCell([&](const Cell& cell, int64_t in_group, int channel, int64_t) {
          const int64_t at = first + in_group;
          NormApply apply{.y = y + at,
                          .a = scale(group) + channel,
                          .b = shift(group) + channel,
                          .z = z + at,
                          .rectify = true};
          if (shortcut.x != nullptr) apply.x = shortcut.x + at;
          if (shortcut.norm != nullptr) {
            apply.c = shortcut.norm->scale(group) + channel;
            apply.d = shortcut.norm->shift(group) + channel;
          }
          isa_.norm_apply(cell, apply);
        });
    first += Pixels(group) * padded_;
  }
}

void BatchNorm::Backward(float* dz, const float* z, float* y, const NormGradients& gradients,
                         const Normed* shortcut) {
  const bool second = shortcut != nullptr;
  int64_t first = 0;
  for (int group = 0; group < groups(); ++group) {
    const Cells cells(Pixels(group), padded_);
    const int64_t floats = cells.chunks() * padded_;
    float* const sums = scratch_.Take(0, 3 * floats);
    cells.ForEachCell([&](const Cell& cell, int64_t in_group, int channel, int64_t sum_at) {
      const int64_t at = first + in_group;
      NormReduce reduce{.dz = dz + at,
                        .y = y + at,
                        .mean = Line(mean_, group) + channel,
                        .z = z == nullptr ? nullptr : z + at,
                        .a = scale(group) + channel,
                        .b = shift(group) + channel,
                        .sum_g = sums + sum_at,
                        .sum_gy = sums + floats + sum_at,
                        .sum_gx = sums + 2 * floats + sum_at};
      if (second) {
        reduce.x = shortcut->y + at;
        reduce.x_mean = shortcut->norm->Line(shortcut->norm->mean_, group) + channel;
      }
      isa_.norm_reduce(cell, reduce);
    });
    const std::vector<double> sum_g = cells.Total(sums);
    BackwardGroup(group, dz + first, sum_g, cells.Total(sums + floats), y + first, gradients);
    if (second) {
      shortcut->norm->BackwardGroup(group, dz + first, sum_g, cells.Total(sums + 2 * floats),
                                    shortcut->y + first, shortcut->gradients);
    }
    first += Pixels(group) * padded_;
  }
}

// dy = scale (g - mean(g) - x_hat mean(g x_hat)), x_hat = (y - mean) inverse.
void BatchNorm::BackwardGroup(int group, const float* g, const std::vector<double>& sum_g,
                              const std::vector<double>& sum_gy, float* y,
                              const NormGradients& gradients) {
  const auto n = static_cast<double>(Pixels(group));
  std::vector<float> slope(padded_, 0.0f), constant(padded_, 0.0f);
  for (int c = 0; c < shape_.channels; ++c) {
    const double inverse = Line(inverse_, group)[c], line = scale(group)[c];
    slope[c] = static_cast<float>(-line * inverse * inverse * sum_gy[c] / n);
    constant[c] = static_cast<float>(-line * sum_g[c] / n);
    const double weight = (group > 0 ? gradients.weight[c] : 0.0) + inverse * sum_gy[c];
    const double bias = (group > 0 ? gradients.bias[c] : 0.0) + sum_g[c];
    gradients.weight[c] = static_cast<float>(weight);
    gradients.bias[c] = static_cast<float>(bias);
  }
  Cells(Pixels(group), padded_)
      .ForEachCell([&](const Cell& cell, int64_t at, int channel, int64_t) {
        isa_.norm_gradient(cell, {.g = g + at,
                                  .y = y + at,
                                  .mean = Line(mean_, group) + channel,
                                  .p = scale(group) + channel,
                                  .q = slope.data() + channel,
                                  .r = constant.data() + channel});
      });
}

}  // namespace ltml::kernels
