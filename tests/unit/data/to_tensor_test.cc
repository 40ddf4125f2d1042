#include "worker/data/to_tensor.h"

#include <filesystem>
#include <random>
#include <vector>

#include "common/base/cpu.h"
#include "gtest/gtest.h"
#include "simdjson.h"

namespace ltml::data {
namespace {

constexpr double kMean[3] = {0.485, 0.456, 0.406};
constexpr double kStd[3] = {0.229, 0.224, 0.225};

uint32_t Pixel(int red, int green, int blue) {
  return static_cast<uint32_t>(red | green << 8 | blue << 16);
}

std::vector<uint32_t> Random(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<uint32_t> pixels(count);
  for (uint32_t& pixel : pixels) pixel = random() & 0xFFFFFF;
  return pixels;
}

// Planes of ToTensor, put back into [0, 255].
std::vector<double> Levels(const std::vector<uint32_t>& pixels,
                           const std::vector<JitterStep>& jitter) {
  std::vector<float> values(3 * pixels.size());
  ToTensor(pixels, jitter, Layout::kPlanes, values);
  std::vector<double> levels;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = i / pixels.size();
    levels.push_back(255 * (values[i] * kStd[c] + kMean[c]));
  }
  return levels;
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4) << i;
}

TEST(ToTensor, JittersToValuesWorkedByHand) {
  const std::vector<uint32_t> pixels = {Pixel(100, 50, 10), Pixel(200, 0, 250)};
  ExpectNear(Levels(pixels, {}), {100, 200, 50, 0, 10, 250});
  ExpectNear(Levels(pixels, {{Jitter::kBrightness, 1.5f}}), {150, 255, 75, 0, 15, 255});
  // grey: 0.299 * 100 + 0.587 * 50 + 0.114 * 10 = 60.39; 0.299 * 200 + 0.114 * 250 = 88.3.
  ExpectNear(Levels(pixels, {{Jitter::kSaturation, 0.0f}}),
             {60.39, 88.3, 60.39, 88.3, 60.39, 88.3});
  // mean grey 74.345: 0.5 * 100 + 0.5 * 74.345 = 87.1725.
  ExpectNear(Levels(pixels, {{Jitter::kContrast, 0.5f}}),
             {87.1725, 137.1725, 62.1725, 37.1725, 42.1725, 162.1725});
}

// Contrast after brightness 1.5: (150, 75, 15) and (255, 0, 255), grey 90.585 and 105.315,
// mean 97.95.
TEST(ToTensor, TakesTheMeanOfWhatEarlierStepsMade) {
  const std::vector<uint32_t> pixels = {Pixel(100, 50, 10), Pixel(200, 0, 250)};
  ExpectNear(Levels(pixels, {{Jitter::kBrightness, 1.5f}, {Jitter::kContrast, 0.5f}}),
             {123.975, 176.475, 86.475, 48.975, 56.475, 176.475});
  // Saturation 2 of 123.975, 86.475, 56.475: grey 94.2675, twice the value less the grey.
  const auto all =
      Levels(pixels,
             {{Jitter::kBrightness, 1.5f}, {Jitter::kContrast, 0.5f}, {Jitter::kSaturation, 2.0f}});
  EXPECT_NEAR(all[0], 2 * 123.975 - 94.26755, 1e-3);
  EXPECT_NEAR(all[2], 2 * 86.475 - 94.26755, 1e-3);
}

TEST(ToTensor, NormalisesAsTheGoldenValuesDo) {
  simdjson::dom::parser parser;
  const auto file = std::filesystem::path(LTML_SOURCE_DIR) / "tests/golden/resize.json";
  const simdjson::dom::element golden = parser.load(file.string())["normalise"];
  std::vector<int> bytes;
  for (const int64_t value : golden["input_hwc"].get_array())
    bytes.push_back(static_cast<int>(value));
  std::vector<uint32_t> pixels;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    pixels.push_back(Pixel(bytes[i], bytes[i + 1], bytes[i + 2]));
  }
  std::vector<float> values(bytes.size());
  ToTensor(pixels, {}, Layout::kPlanes, values);
  size_t i = 0;
  for (const double value : golden["output_chw"].get_array()) EXPECT_NEAR(values[i++], value, 2e-6);
  EXPECT_EQ(i, values.size());
}

// Any number of pixels, and whatever lies around them.
TEST(ToTensor, InterleavesTheSameValuesAndTouchesNothingElse) {
  const std::vector<JitterStep> jitter = {
      {Jitter::kSaturation, 0.7f}, {Jitter::kContrast, 1.3f}, {Jitter::kBrightness, 0.9f}};
  for (const size_t count : {1, 7, 15, 16, 17, 255, 256, 257, 1000}) {
    const auto pixels = Random(count, 5);
    std::vector<float> planes(3 * count + 1, 7.0f), interleaved(3 * count + 1, 7.0f);
    ToTensor(pixels, jitter, Layout::kPlanes, std::span(planes).first(3 * count));
    ToTensor(pixels, jitter, Layout::kInterleaved, std::span(interleaved).first(3 * count));
    for (size_t i = 0; i < count; ++i) {
      for (size_t c = 0; c < 3; ++c) ASSERT_EQ(planes[c * count + i], interleaved[3 * i + c]);
    }
    EXPECT_EQ(planes.back(), 7.0f);
    EXPECT_EQ(interleaved.back(), 7.0f);
  }
}

void ExpectSame(decltype(ToTensor)* wide) {
  const std::vector<std::vector<JitterStep>> orders = {
      {},
      {{Jitter::kContrast, 0.61f}, {Jitter::kSaturation, 1.37f}, {Jitter::kBrightness, 1.2f}},
      {{Jitter::kBrightness, 1.39f}, {Jitter::kSaturation, 0.66f}, {Jitter::kContrast, 1.4f}}};
  for (const auto& jitter : orders) {
    for (const size_t count : {3, 16, 256, 1029, 50176}) {
      const auto pixels = Random(count, 9);
      for (const Layout layout : {Layout::kPlanes, Layout::kInterleaved}) {
        std::vector<float> expected(3 * count), got(3 * count);
        ToTensorPortable(pixels, jitter, layout, expected);
        wide(pixels, jitter, layout, got);
        ASSERT_TRUE(expected == got) << count;
      }
    }
  }
}

TEST(ToTensor, GivesTheSameBitsWithAvx2) {
  if (!base::HasAvx2()) GTEST_SKIP() << "no AVX2 here, or forbidden by LTML_SIMD";
  ExpectSame(ToTensorAvx2);
}

TEST(ToTensor, GivesTheSameBitsWithAvx512) {
  if (!base::HasAvx512()) GTEST_SKIP() << "no AVX-512 here, or forbidden by LTML_SIMD";
  ExpectSame(ToTensorAvx512);
}

}  // namespace
}  // namespace ltml::data
