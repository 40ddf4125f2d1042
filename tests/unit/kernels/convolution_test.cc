#include "worker/kernels/convolution.h"

#include <string>

#include "common/base/cpu.h"
#include "tests/unit/kernels/fixture.h"
#include "tests/unit/kernels/wide_loops.h"

namespace ltml::kernels {
namespace {

// All three passes, by their definition.
struct Reference {
  std::vector<double> y, dx, dw;

  Reference(const ConvolutionShape& s, const std::vector<float>& x, const std::vector<float>& w,
            const std::vector<float>& dy)
      : y(s.out_floats()), dx(s.in_floats()), dw(s.weights()) {
    for (int n = 0; n < s.images; ++n) {
      for (int oy = 0; oy < s.out_height(); ++oy) {
        for (int ox = 0; ox < s.out_width(); ++ox) AddPixel(s, x, w, dy, n, oy, ox);
      }
    }
  }

 private:
  void AddPixel(const ConvolutionShape& s, const std::vector<float>& x, const std::vector<float>& w,
                const std::vector<float>& dy, int n, int oy, int ox) {
    const int64_t out =
        n * s.out_image() + (int64_t{oy} * s.out_width() + ox) * PaddedChannels(s.out_channels);
    for (int tap = 0; tap < s.taps(); ++tap) {
      const int iy = oy * s.stride + tap / s.kernel_width - s.padding;
      const int ix = ox * s.stride + tap % s.kernel_width - s.padding;
      if (iy < 0 || ix < 0 || iy >= s.in_height || ix >= s.in_width) continue;
      const int64_t in = n * s.in_image() + int64_t{iy} * s.in_row + int64_t{ix} * s.in_pitch;
      for (int i = 0; i < s.in_channels; ++i) {
        for (int o = 0; o < s.out_channels; ++o) {
          const int64_t at = (int64_t{tap} * s.in_channels + i) * s.out_channels + o;
          y[out + o] += double{x[in + i]} * w[at];
          dx[in + i] += double{dy[out + o]} * w[at];
          dw[at] += double{x[in + i]} * dy[out + o];
        }
      }
    }
  }
};

// As an earlier operation may leave it.
Scratch DirtyScratch() {
  Scratch scratch;
  const int threads = omp_get_max_threads();
  scratch.Prepare(threads);
  for (int thread = 0; thread < threads; ++thread) {
    constexpr int64_t kFloats = int64_t{1} << 20;
    std::fill_n(scratch.Take(thread, kFloats), kFloats, NAN);
  }
  return scratch;
}

// What the three passes give; results start as garbage, which must be overwritten.
struct Results {
  std::vector<float> y, dx, dw;

  Results(const ConvolutionShape& s, const Isa& isa, const std::vector<float>& x,
          const std::vector<float>& w, const std::vector<float>& dy, bool data = true)
      : y(s.out_floats(), NAN), dx(data ? s.in_floats() : 0, NAN), dw(s.weights(), NAN) {
    Scratch scratch = DirtyScratch();
    Convolution convolution(s, isa, scratch);
    convolution.Forward(x.data(), w.data(), y.data());
    convolution.BackwardWeights(x.data(), dy.data(), dw.data());
    if (data) convolution.BackwardData(dy.data(), w.data(), dx.data(), false);
  }
  bool operator==(const Results&) const = default;
};

std::vector<float> MapFor(const ConvolutionShape& s, uint32_t seed) {
  return NoiseMap(int64_t{s.images} * s.in_height * s.in_width, s.in_channels, seed);
}
std::vector<float> GradientFor(const ConvolutionShape& s, uint32_t seed) {
  return NoiseMap(s.images * s.out_pixels(), s.out_channels, seed);
}

class ConvolutionTest : public testing::TestWithParam<ConvolutionShape> {};

TEST_P(ConvolutionTest, EveryPassEqualsItsDefinition) {
  LTML_REQUIRE_ISA();
  const ConvolutionShape& s = GetParam();
  const auto x = MapFor(s, 1), w = Noise(s.weights(), 2), dy = GradientFor(s, 3);
  const Reference expected(s, x, w, dy);
  const Results got(s, *BestIsa(), x, w, dy);
  ExpectNear(got.y, expected.y, 1e-6);
  ExpectNear(got.dx, expected.dx, 1e-6);
  ExpectNear(got.dw, expected.dw, 3e-6);
}

TEST_P(ConvolutionTest, ThreadsAndVectorsChangeNoBit) {
  LTML_REQUIRE_ISA();
  const ConvolutionShape& s = GetParam();
  const auto x = MapFor(s, 1), w = Noise(s.weights(), 2), dy = GradientFor(s, 3);
  WithThreads(1, [&] {
    const Results expected(s, *Avx2(), x, w, dy);
    for (const Isa* isa : AllLoops()) EXPECT_EQ(expected, Results(s, *isa, x, w, dy)) << isa->name;
    for (const int threads : {2, 3, 7}) {
      omp_set_num_threads(threads);
      EXPECT_EQ(expected, Results(s, *Avx2(), x, w, dy)) << threads << " threads";
    }
  });
}

TEST_P(ConvolutionTest, GradientOfTheDataCanBeAdded) {
  LTML_REQUIRE_ISA();
  const ConvolutionShape& s = GetParam();
  const auto x = MapFor(s, 1), w = Noise(s.weights(), 2), dy = GradientFor(s, 3);
  std::vector<double> expected = Reference(s, x, w, dy).dx;
  std::vector<float> dx = MapFor(s, 4);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += dx[i];
  Scratch scratch;
  Convolution(s, *BestIsa(), scratch).BackwardData(dy.data(), w.data(), dx.data(), true);
  ExpectNear(dx, expected, 1e-6);
}

// Images, in, out, height, width, kernel, stride: one channel, channels that fill no panel, maps
// smaller than the kernel, odd sizes, weights of several blocks, and chunks of rows and of images.
INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvolutionTest,
    testing::Values(SquareShape(1, 1, 1, 1, 1, 1, 1), SquareShape(2, 5, 7, 6, 4, 3, 1),
                    SquareShape(3, 16, 32, 5, 5, 3, 2), SquareShape(2, 4, 4, 1, 1, 3, 1),
                    SquareShape(2, 20, 16, 7, 5, 1, 2), SquareShape(3, 33, 40, 8, 8, 1, 1),
                    SquareShape(5, 64, 48, 2, 2, 3, 1), SquareShape(2, 160, 96, 3, 3, 3, 1),
                    SquareShape(1, 12, 12, 40, 31, 3, 1), SquareShape(1, 6, 9, 60, 60, 3, 2),
                    SquareShape(17, 24, 130, 4, 4, 3, 2), SquareShape(1, 1600, 48, 2, 3, 1, 1)),
    [](const auto& info) { return "shape" + std::to_string(info.index); });

// Images in a frame of zeros, of which a whole row of the kernel is one tap.
TEST(StemConvolution, EqualsItsDefinition) {
  LTML_REQUIRE_ISA();
  for (const int size : {9, 32, 33}) {
    const ConvolutionShape s = StemShape(2, 20, size, size + 1);
    EXPECT_EQ(s.out_height(), (size - 1) / 2 + 1);
    EXPECT_EQ(s.out_width(), size / 2 + 1);
    std::vector<float> x = Noise(s.in_floats() + kSlack, 1);
    const auto w = Noise(s.weights(), 2), dy = GradientFor(s, 3);
    const Reference expected(s, x, w, dy);
    const Results got(s, *BestIsa(), x, w, dy, false);
    ExpectNear(got.y, expected.y, 1e-6);
    ExpectNear(got.dw, expected.dw, 3e-6);
    for (const Isa* isa : AllLoops()) EXPECT_EQ(got, Results(s, *isa, x, w, dy, false));
  }
}

TEST(Isa, TheBestIsOneThatTheProcessorHas) {
  if (!base::HasAvx2() || Avx2() == nullptr) {
    EXPECT_EQ(BestIsa(), nullptr);
  } else if (!base::HasAvx512() || Avx512() == nullptr) {
    EXPECT_EQ(BestIsa(), Avx2());
  } else {
    EXPECT_EQ(BestIsa(), Avx512());
  }
}

}  // namespace
}  // namespace ltml::kernels
