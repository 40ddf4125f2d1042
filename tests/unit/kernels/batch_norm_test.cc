#include "worker/kernels/batch_norm.h"

#include <algorithm>

#include "tests/unit/kernels/fixture.h"
#include "tests/unit/kernels/wide_loops.h"

namespace ltml::kernels {
namespace {

constexpr double kEpsilon = 1e-5, kMomentum = 0.1;

// One layer's tensors.
struct Layer {
  std::vector<float> weight, bias, running_mean, running_variance, dweight, dbias;

  Layer(int channels, uint32_t seed)
      : weight(Noise(channels, seed)),
        bias(Noise(channels, seed + 1)),
        running_mean(Noise(channels, seed + 2)),
        running_variance(channels, 0.5f),
        dweight(channels, NAN),
        dbias(channels, NAN) {}
  NormTensors tensors() {
    return {weight.data(), bias.data(), running_mean.data(), running_variance.data()};
  }
  NormGradients gradients() { return {dweight.data(), dbias.data()}; }
};

// Batch norm of one group of pixels by its definition: normalised values, and the gradient.
class Reference {
 public:
  // Normalises y [pixels][padded] with its own statistics.
  Reference(const float* y, int64_t pixels, const Layer& layer)
      : channels_(static_cast<int>(layer.weight.size())),
        padded_(PaddedChannels(channels_)),
        pixels_(pixels),
        weight_(layer.weight.begin(), layer.weight.end()),
        y_(y, y + pixels * padded_) {
    z.assign(y_.size(), 0.0);
    for (int c = 0; c < channels_; ++c) {
      double sum = 0, squares = 0;
      for (int64_t p = 0; p < pixels; ++p) sum += y_[At(p, c)];
      mean.push_back(sum / static_cast<double>(pixels));
      for (int64_t p = 0; p < pixels; ++p) squares += std::pow(y_[At(p, c)] - mean[c], 2);
      variance.push_back(squares / static_cast<double>(pixels));
      for (int64_t p = 0; p < pixels; ++p) z[At(p, c)] = weight_[c] * Hat(p, c) + layer.bias[c];
    }
  }

  void Backward(const std::vector<double>& g) {
    dy.assign(y_.size(), 0.0);
    const auto n = static_cast<double>(pixels_);
    for (int c = 0; c < channels_; ++c) {
      double sum = 0, product = 0;
      for (int64_t p = 0; p < pixels_; ++p) {
        sum += g[At(p, c)];
        product += g[At(p, c)] * Hat(p, c);
      }
      dbias.push_back(sum);
      dweight.push_back(product);
      const double scale = weight_[c] / std::sqrt(variance[c] + kEpsilon);
      for (int64_t p = 0; p < pixels_; ++p) {
        dy[At(p, c)] = scale * (g[At(p, c)] - sum / n - Hat(p, c) * product / n);
      }
    }
  }

  std::vector<double> mean, variance, z, dy, dweight, dbias;

 private:
  int64_t At(int64_t pixel, int channel) const { return pixel * padded_ + channel; }
  double Hat(int64_t p, int c) const {
    return (y_[At(p, c)] - mean[c]) / std::sqrt(variance[c] + kEpsilon);
  }

  const int channels_, padded_;
  const int64_t pixels_;
  const std::vector<double> weight_, y_;
};

// 20 channels in a padded map of two groups, the second of more than one chunk.
struct Case {
  static constexpr int kChannels = 20, kPadded = 32;
  NormShape shape{.channels = kChannels, .pixels = 50, .groups = {1, 3}};
  std::vector<float> y = NoiseMap(200, kChannels, 1), x = NoiseMap(200, kChannels, 2),
                     dz = NoiseMap(200, kChannels, 3);
  Layer layer{kChannels, 10}, other{kChannels, 20};
  Scratch scratch;

  Case() {
    // Far from zero, where sums of squares would lose their digits.
    for (size_t i = 0; i < 200 * kPadded; ++i) y[i] += i % kPadded < kChannels ? 30.0f : 0.0f;
  }
  int64_t First(int group) const { return group == 0 ? 0 : 50 * kPadded; }
  int64_t Pixels(int group) const { return group == 0 ? 50 : 150; }
};

enum class Shortcut { kNone, kPlain, kNormed };

class BatchNormTest : public testing::TestWithParam<Shortcut> {};

TEST_P(BatchNormTest, ForwardAndBackwardEqualTheirDefinition) {
  LTML_REQUIRE_ISA();
  Case c;
  BatchNorm norm(c.shape, *BestIsa(), c.scratch), second(c.shape, *BestIsa(), c.scratch);
  const bool with_x = GetParam() != Shortcut::kNone, normed = GetParam() == Shortcut::kNormed;
  std::vector<double> z, g, dy, dx;
  std::vector<double> dweight(Case::kChannels), dbias(Case::kChannels), dweight_x(Case::kChannels);
  for (int group = 0; group < 2; ++group) {
    Reference main(c.y.data() + c.First(group), c.Pixels(group), c.layer);
    Reference side(c.x.data() + c.First(group), c.Pixels(group), c.other);
    std::vector<double> masked;
    for (size_t i = 0; i < main.z.size(); ++i) {
      const double plain = c.x[c.First(group) + static_cast<int64_t>(i)];
      const double sum = main.z[i] + (normed ? side.z[i] : with_x ? plain : 0.0);
      z.push_back(std::max(0.0, sum));
      masked.push_back(sum > 0 ? c.dz[c.First(group) + static_cast<int64_t>(i)] : 0.0);
    }
    main.Backward(masked);
    side.Backward(masked);
    g.insert(g.end(), masked.begin(), masked.end());
    dy.insert(dy.end(), main.dy.begin(), main.dy.end());
    dx.insert(dx.end(), side.dy.begin(), side.dy.end());
    for (int k = 0; k < Case::kChannels; ++k) {
      dweight[k] += main.dweight[k];
      dbias[k] += main.dbias[k];
      dweight_x[k] += side.dweight[k];
    }
  }
  norm.TakeStatistics(c.y.data(), c.layer.tensors());
  second.TakeStatistics(c.x.data(), c.other.tensors());
  std::vector<float> got_z(c.y.size(), NAN);
  norm.Forward(c.y.data(), {with_x ? c.x.data() : nullptr, normed ? &second : nullptr},
               got_z.data());
  ExpectNear(got_z, z, 1e-5);
  const BatchNorm::Normed side = {c.x.data(), &second, c.other.gradients()};
  norm.Backward(c.dz.data(), with_x ? got_z.data() : nullptr, c.y.data(), c.layer.gradients(),
                normed ? &side : nullptr);
  ExpectNear(c.dz, g, 1e-7);
  ExpectNear(c.y, dy, 2e-5);
  ExpectNear(c.layer.dweight, dweight, 2e-5);
  ExpectNear(c.layer.dbias, dbias, 1e-6);
  if (!normed) return;
  ExpectNear(c.x, dx, 2e-5);
  ExpectNear(c.other.dweight, dweight_x, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(Shortcuts, BatchNormTest,
                         testing::Values(Shortcut::kNone, Shortcut::kPlain, Shortcut::kNormed));

TEST(BatchNorm, RunningStatisticsMoveOnceAGroup) {
  LTML_REQUIRE_ISA();
  Case c;
  std::vector<double> mean(c.layer.running_mean.begin(), c.layer.running_mean.end());
  std::vector<double> variance(Case::kChannels, 0.5);
  for (int group = 0; group < 2; ++group) {
    const Reference expected(c.y.data() + c.First(group), c.Pixels(group), c.layer);
    const auto n = static_cast<double>(c.Pixels(group));
    for (int k = 0; k < Case::kChannels; ++k) {
      mean[k] += kMomentum * (expected.mean[k] - mean[k]);
      variance[k] += kMomentum * (expected.variance[k] * n / (n - 1) - variance[k]);
    }
  }
  BatchNorm(c.shape, *BestIsa(), c.scratch).TakeStatistics(c.y.data(), c.layer.tensors());
  ExpectNear(c.layer.running_mean, mean, 1e-6);
  ExpectNear(c.layer.running_variance, variance, 1e-5);
}

TEST(BatchNorm, PredictionUsesTheRunningStatistics) {
  LTML_REQUIRE_ISA();
  Case c;
  BatchNorm norm(c.shape, *BestIsa(), c.scratch);
  norm.UseRunningStatistics(c.layer.tensors());
  std::vector<double> expected(200 * Case::kPadded, 0.0);
  for (int64_t i = 0; i < 200 * Case::kPadded; ++i) {
    const int64_t k = i % Case::kPadded;
    if (k >= Case::kChannels) continue;
    const double hat = (double{c.y[i]} - c.layer.running_mean[k]) /
                       std::sqrt(double{c.layer.running_variance[k]} + kEpsilon);
    expected[i] = std::max(0.0, c.layer.weight[k] * hat + c.layer.bias[k]);
  }
  std::vector<float> z(c.y.size());
  norm.Forward(c.y.data(), {}, z.data());
  ExpectNear(z, expected, 1e-6);
}

TEST(BatchNorm, NotANumberIsNotSwallowed) {
  LTML_REQUIRE_ISA();
  Case c;
  c.y[5] = NAN;
  BatchNorm norm(c.shape, *BestIsa(), c.scratch);
  norm.TakeStatistics(c.y.data(), c.layer.tensors());
  std::vector<float> z(c.y.size());
  norm.Forward(c.y.data(), {}, z.data());
  EXPECT_TRUE(std::isnan(z[5]));
  EXPECT_TRUE(std::isnan(z[Case::kPadded + 5])) << "another pixel of the channel";
  EXPECT_FALSE(std::isnan(z[6])) << "another channel";
}

TEST(BatchNorm, ThreadsAndVectorsChangeNoBit) {
  LTML_REQUIRE_ISA();
  const auto run = [](const Isa& isa) {
    Case c;
    BatchNorm norm(c.shape, isa, c.scratch), second(c.shape, isa, c.scratch);
    norm.TakeStatistics(c.y.data(), c.layer.tensors());
    second.TakeStatistics(c.x.data(), c.other.tensors());
    std::vector<float> z(c.y.size());
    norm.Forward(c.y.data(), {c.x.data(), &second}, z.data());
    const BatchNorm::Normed side = {c.x.data(), &second, c.other.gradients()};
    norm.Backward(c.dz.data(), z.data(), c.y.data(), c.layer.gradients(), &side);
    return std::tuple(z, c.y, c.x, c.dz, c.layer.dweight, c.other.dbias, c.layer.running_variance);
  };
  WithThreads(1, [&] {
    const auto expected = run(*Avx2());
    for (const Isa* isa : AllLoops()) EXPECT_EQ(expected, run(*isa)) << isa->name;
    omp_set_num_threads(3);
    EXPECT_EQ(expected, run(*Avx2()));
  });
}

}  // namespace
}  // namespace ltml::kernels
