#include "common/image/resizer.h"

#include <algorithm>
#include <random>

#include "common/base/cpu.h"
#include "common/image/resize_kernels.h"
#include "gtest/gtest.h"

namespace ltml::image {
namespace {

Image Random(int width, int height, unsigned seed) {
  std::mt19937 random(seed);
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

std::vector<uint32_t> Pixels(Resizer& resizer, const View& view, const Resizer::Plan& plan) {
  const auto pixels = resizer.Resize(view, plan);
  EXPECT_TRUE(pixels.ok()) << pixels.status();
  return pixels.ok() ? std::vector<uint32_t>(pixels->begin(), pixels->end())
                     : std::vector<uint32_t>();
}

// [height, in_width, 3] -> [height, outputs] by one set of kernels, and rows downwards.
struct Both {
  std::vector<uint32_t> across, down;
};
Both Apply(const ResizeKernels& kernels, const Filter& filter, const Filter& column,
           const Image& image, const std::vector<uint8_t>& padded, std::ptrdiff_t step) {
  const int width = filter.outputs();
  const std::ptrdiff_t begin = step < 0 ? width - 1 : 0;
  Both both{std::vector<uint32_t>(size_t{1} * width * image.height), {}};
  for (int y = 0; y < image.height; y += ResizeKernels::kRows) {
    ResizeKernels::Rows rows;
    rows.step = step;
    for (int r = 0; r < ResizeKernels::kRows; ++r) {
      const int row = std::min(y + r, image.height - 1);
      rows.from[r] = padded.data() + size_t{3} * image.width * row;
      rows.to[r] = both.across.data() + size_t{1} * width * row + begin;
    }
    kernels.across(filter, rows);
  }
  both.down.resize(size_t{1} * width * column.outputs());
  for (int i = 0; i < column.outputs(); ++i) {
    kernels.down(column, i,
                 {both.across.data() + size_t{1} * width * column.start(i),
                  both.down.data() + size_t{1} * width * i, width});
  }
  return both;
}

void ExpectSame(const ResizeKernels& kernels) {
  for (const int out : {1, 3, 7, 8, 37, 64, 224}) {
    for (const int in : {2, 6, 33, 64, 200, 900}) {
      const Image image = Random(in, 21, static_cast<unsigned>(in));
      std::vector<uint8_t> padded = image.rgb;
      padded.resize(padded.size() + ResizeKernels::kOverread, 77);
      Filter filter, column;
      filter.Make({in, 0.25, in - 0.5, out, 0, out});
      column.Make({21, 0, 21, 9, 0, 9});
      for (const std::ptrdiff_t step : {1, -1}) {
        const Both portable = Apply(PortableKernels(), filter, column, image, padded, step);
        const Both wide = Apply(kernels, filter, column, image, padded, step);
        ASSERT_TRUE(portable.across == wide.across) << in << " to " << out;
        ASSERT_TRUE(portable.down == wide.down) << in << " to " << out;
      }
    }
  }
}

TEST(ResizeKernels, GiveTheSameBitsWithAvx2) {
  if (!base::HasAvx2()) GTEST_SKIP() << "no AVX2 here, or forbidden by LTML_SIMD";
  ExpectSame(Avx2Kernels());
}

TEST(ResizeKernels, GiveTheSameBitsWithAvx512) {
  if (!base::HasAvx512()) GTEST_SKIP() << "no AVX-512 here, or forbidden by LTML_SIMD";
  ExpectSame(Avx512Kernels());
}

TEST(Resizer, IsTheSameWhateverItDidBefore) {
  Resizer used, fresh;
  const Image large = Random(300, 200, 1), small = Random(31, 23, 2);
  const View large_view = *ViewOf(large), small_view = *ViewOf(small);
  Pixels(used, large_view, {{0, 0, 300, 200}, 224, 224, {0, 0, 224, 224}});
  const Resizer::Plan plan{{2, 3, 29, 20}, 40, 17, {0, 0, 40, 17}};
  EXPECT_EQ(Pixels(used, small_view, plan), Pixels(fresh, small_view, plan));
}

TEST(Resizer, EqualsResizeOfImages) {
  const Image image = Random(61, 47, 3);
  Resizer resizer;
  const auto pixels = Pixels(resizer, *ViewOf(image), {{5, 6, 50, 40}, 20, 30, {0, 0, 20, 30}});
  const auto expected = Resize(image, {5, 6, 50, 40}, 20, 30);
  for (size_t i = 0; i < pixels.size(); ++i) {
    EXPECT_EQ(pixels[i] & 0xFF, expected->rgb[3 * i]);
    EXPECT_EQ(pixels[i] >> 8 & 0xFF, expected->rgb[3 * i + 1]);
    EXPECT_EQ(pixels[i] >> 16, expected->rgb[3 * i + 2]);
  }
}

TEST(Resizer, Mirrors) {
  const Image image = Random(50, 21, 4);
  Resizer resizer;
  Resizer::Plan plan{{0, 0, 50, 21}, 19, 8, {0, 0, 19, 8}};
  const auto plain = Pixels(resizer, *ViewOf(image), plan);
  plan.mirror = true;
  const auto mirrored = Pixels(resizer, *ViewOf(image), plan);
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 19; ++x) EXPECT_EQ(plain[19 * y + x], mirrored[19 * y + 18 - x]);
  }
}

// A ramp of slope 4 whose area begins between two pixels: value 4 (x + 1/2) - 2 at place x, so the
// middle of output i, at 1.5 + 2 (i + 1/2), is 4 (2.5 + 2 i) - 2.  The outermost are cut and shift.
TEST(Resizer, TakesAreasBetweenPixels) {
  Image ramp{40, 1, {}};
  for (int x = 0; x < 40; ++x) ramp.rgb.insert(ramp.rgb.end(), 3, static_cast<uint8_t>(4 * x));
  Resizer resizer;
  const auto pixels = Pixels(resizer, *ViewOf(ramp), {{1.5, 0, 21.5, 1}, 10, 1, {0, 0, 10, 1}});
  for (int i = 1; i < 9; ++i) EXPECT_NEAR(pixels[i] & 0xFF, 4 * (2.5 + 2 * i) - 2, 1) << i;
}

TEST(Resizer, ReadsViewsWithAStride) {
  const Image image = Random(30, 20, 5);
  const View all = *ViewOf(image);
  const View part{all.row(4) + 3 * 7, 12, 9, all.stride};
  Resizer resizer;
  const auto got = Pixels(resizer, part, {{0, 0, 12, 9}, 6, 5, {0, 0, 6, 5}});
  const auto expected = Pixels(resizer, all, {{7, 4, 19, 13}, 6, 5, {0, 0, 6, 5}});
  EXPECT_EQ(got, expected);
}

// Rows so short that the kernels may not read behind any of them.
TEST(Resizer, ReadsNarrowPictures) {
  const Image image = Random(30, 9, 8);
  const View all = *ViewOf(image);
  for (const int width : {1, 2, 5}) {
    Image narrow{width, 9, {}};
    for (int y = 0; y < 9; ++y) {
      narrow.rgb.insert(narrow.rgb.end(), all.row(y) + 3 * 7, all.row(y) + 3 * (7 + width));
    }
    const double right = width;
    Resizer resizer, other;
    const auto got = Pixels(resizer, *ViewOf(narrow), {{0, 0, right, 9}, 6, 7, {0, 0, 6, 7}});
    EXPECT_EQ(got, Pixels(other, all, {{7, 0, 7 + right, 9}, 6, 7, {0, 0, 6, 7}})) << width;
  }
}

TEST(Resizer, RefusesAreasAndWindowsOutside) {
  const Image image = Random(8, 6, 6);
  const View view = *ViewOf(image);
  Resizer resizer;
  EXPECT_FALSE(resizer.Resize(view, {{0, 0, 8.5, 6}, 4, 4, {0, 0, 4, 4}}).ok());
  EXPECT_FALSE(resizer.Resize(view, {{3, 0, 3, 6}, 4, 4, {0, 0, 4, 4}}).ok());
  EXPECT_FALSE(resizer.Resize(view, {{0, 0, 8, 6}, 4, 4, {0, 0, 5, 4}}).ok());
  EXPECT_FALSE(resizer.Resize(view, {{0, 0, 8, 6}, 4, 4, {-1, 0, 4, 4}}).ok());
}

}  // namespace
}  // namespace ltml::image
