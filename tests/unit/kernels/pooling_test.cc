#include "worker/kernels/pooling.h"

#include "tests/unit/kernels/fixture.h"
#include "tests/unit/kernels/wide_loops.h"

namespace ltml::kernels {
namespace {

constexpr int kChannels = 20, kPadded = 32;

// A norm that does y -> y + 0.1 for image 0 and y -> -y for image 1: two groups whose running
// statistics were swapped in between.
struct Norm {
  Scratch scratch;
  std::vector<float> weight = std::vector<float>(kChannels, 1.0f),
                     bias = std::vector<float>(kChannels, 0.1f),
                     mean = std::vector<float>(kChannels, 0.0f),
                     variance = std::vector<float>(kChannels, 1.0f);
  BatchNorm norm;

  Norm(int images, int64_t pixels, const Isa& isa)
      : norm({kChannels, pixels, {images}}, isa, scratch) {
    norm.UseRunningStatistics({weight.data(), bias.data(), mean.data(), variance.data()});
  }
};

struct Maps {
  PoolShape shape;
  std::vector<float> y, dz;
  explicit Maps(const PoolShape& s)
      : shape(s),
        y(NoiseMap(int64_t{s.images} * s.in_height * s.in_width, kChannels, 1)),
        dz(NoiseMap(int64_t{s.images} * s.out_height() * s.out_width(), kChannels, 2)) {}
};

// z and g by their definition: the first largest value wins, and only one above zero.
void Expect(const Maps& maps, const BatchNorm& norm, std::vector<double>& z,
            std::vector<double>& g) {
  const PoolShape& s = maps.shape;
  z.assign(int64_t{s.images} * s.out_height() * s.out_width() * kPadded, 0.0);
  g.assign(int64_t{s.images} * s.in_height * s.in_width * kPadded, 0.0);
  for (int64_t out = 0; out < std::ssize(z); ++out) {
    const int c = static_cast<int>(out % kPadded);
    const int64_t pixel = out / kPadded;
    const int x = static_cast<int>(pixel % s.out_width());
    const int row = static_cast<int>(pixel / s.out_width() % s.out_height());
    const int64_t image = pixel / s.out_width() / s.out_height();
    if (c >= kChannels) continue;
    int64_t best = -1;
    for (int tap = 0; tap < 9; ++tap) {
      const int in_y = 2 * row + tap / 3 - 1, in_x = 2 * x + tap % 3 - 1;
      if (in_y < 0 || in_x < 0 || in_y >= s.in_height || in_x >= s.in_width) continue;
      const int64_t at = ((image * s.in_height + in_y) * s.in_width + in_x) * kPadded + c;
      const double value =
          double{maps.y[at]} * norm.scale(0)[c] + static_cast<double>(norm.shift(0)[c]);
      if (value <= z[out]) continue;
      z[out] = value;
      best = at;
    }
    if (best >= 0) g[best] += maps.dz[out];
  }
}

TEST(StemPool, EqualsItsDefinitionForwardAndBackward) {
  LTML_REQUIRE_ISA();
  for (const PoolShape& shape : {PoolShape{2, kChannels, 8, 6}, PoolShape{1, kChannels, 7, 9},
                                 PoolShape{3, kChannels, 1, 1}, PoolShape{1, kChannels, 2, 5}}) {
    const Maps maps(shape);
    for (const Isa* isa : AllLoops()) {
      const Norm norm(shape.images, int64_t{shape.in_height} * shape.in_width, *isa);
      std::vector<double> z, g;
      Expect(maps, norm.norm, z, g);
      StemPool pool(shape, *isa);
      std::vector<float> got_z(z.size(), NAN), got_g(g.size(), NAN);
      pool.Forward(maps.y.data(), norm.norm, got_z.data());
      pool.Backward(maps.dz.data(), got_g.data());
      ExpectNear(got_z, z, 1e-6);
      ExpectNear(got_g, g, 1e-6);
    }
  }
}

TEST(StemPool, NotANumberIsNotSwallowed) {
  LTML_REQUIRE_ISA();
  Maps maps({1, kChannels, 4, 4});
  maps.y[0] = NAN;
  const Norm norm(1, 16, *BestIsa());
  std::vector<float> z(4 * kPadded);
  StemPool({1, kChannels, 4, 4}, *BestIsa()).Forward(maps.y.data(), norm.norm, z.data());
  EXPECT_TRUE(std::isnan(z[0]));
  EXPECT_FALSE(std::isnan(z[1]));
}

TEST(MeanPool, IsTheMeanAndSpreadsItsGradient) {
  const std::vector<float> z = NoiseMap(2 * 6, kChannels, 1);
  std::vector<double> expected(2 * kChannels, 0.0);
  for (int pixel = 0; pixel < 12; ++pixel) {
    for (int c = 0; c < kChannels; ++c) {
      expected[pixel / 6 * kChannels + c] += double{z[pixel * kPadded + c]} / 6;
    }
  }
  std::vector<float> mean(2 * kChannels, NAN);
  MeanPool(z.data(), 2, 6, kChannels, mean.data());
  ExpectNear(mean, expected, 1e-6);
  std::vector<float> dz(12 * kPadded, NAN);
  MeanPoolBackward(mean.data(), 2, 6, kChannels, dz.data());
  for (int pixel = 0; pixel < 12; ++pixel) {
    for (int c = 0; c < kPadded; ++c) {
      const float gradient = c < kChannels ? mean[pixel / 6 * kChannels + c] / 6 : 0.0f;
      EXPECT_EQ(dz[pixel * kPadded + c], gradient);
    }
  }
}

}  // namespace
}  // namespace ltml::kernels
