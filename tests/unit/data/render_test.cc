#include "worker/data/render.h"

#include <vector>

#include "gtest/gtest.h"

namespace ltml::data {
namespace {

image::Image Gradient(int width, int height) {
  image::Image image{width, height, {}};
  for (int p = 0; p < width * height; ++p) {
    const int x = p % width, y = p / width;
    image.rgb.insert(image.rgb.end(), {static_cast<uint8_t>(9 * x), static_cast<uint8_t>(7 * y),
                                       static_cast<uint8_t>(x * y)});
  }
  return image;
}

// An image's own pixels as planes of values.
std::vector<float> ValuesOf(const image::Image& image) {
  std::vector<uint32_t> pixels;
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    pixels.push_back(image.rgb[i] | image.rgb[i + 1] << 8 | image.rgb[i + 2] << 16);
  }
  std::vector<float> values(image.rgb.size());
  ToTensor(pixels, {}, Layout::kPlanes, values);
  return values;
}

std::vector<float> Train(const image::Image& image, int size, const Augmentation& augmentation) {
  std::vector<float> values(size_t{3} * size * size);
  Renderer renderer(size, Layout::kPlanes);
  EXPECT_TRUE(renderer.Training({*image::ViewOf(image), 0, 0}, 1, augmentation, values).ok());
  return values;
}

std::vector<float> Evaluate(const image::Image& image, int size) {
  std::vector<float> values(size_t{3} * size * size);
  Renderer renderer(size, Layout::kPlanes);
  EXPECT_TRUE(renderer.Evaluation(*image::ViewOf(image), values).ok());
  return values;
}

TEST(Renderer, OfTheWholeImageUnchangedIsNormalisationAlone) {
  const image::Image image = Gradient(6, 6);
  EXPECT_EQ(Train(image, 6, {.crop = {0, 0, 6, 6}}), ValuesOf(image));
}

TEST(Renderer, Mirrors) {
  const image::Image image = Gradient(6, 6);
  const auto plain = Train(image, 4, {.crop = {1, 0, 6, 5}});
  const auto mirrored = Train(image, 4, {.crop = {1, 0, 6, 5}, .flip = true});
  for (int row = 0; row < 12; ++row) {
    for (int x = 0; x < 4; ++x) EXPECT_EQ(plain[4 * row + x], mirrored[4 * row + 3 - x]);
  }
}

TEST(Renderer, JittersAfterTheResize) {
  const image::Image image = Gradient(6, 6);
  Augmentation augmentation{.crop = {0, 0, 6, 6}};
  augmentation.jitter[0] = {Jitter::kBrightness, 0.0f};
  const auto black = Train(image, 6, augmentation);
  for (int c = 0; c < 3; ++c) EXPECT_LT(black[36 * c], -1.7f);
}

// A part read at half size: a crop begins at a quarter of it, as in the whole picture.
TEST(Renderer, FindsTheCropInAScaledPart) {
  const image::Image half = Gradient(20, 16);
  std::vector<float> expected(3 * 25), got(3 * 25);
  Renderer renderer(5, Layout::kPlanes);
  // Pixels [12, 32) x [6, 22) of a picture of 40 x 32, whose half was read from (4, 2) on.
  const image::View all = *image::ViewOf(half);
  const image::Decoder::Part part{{all.row(2) + 3 * 4, 16, 14, all.stride}, 4, 2};
  ASSERT_TRUE(renderer.Training(part, 2, {.crop = {12, 6, 32, 22}}, got).ok());
  ASSERT_TRUE(renderer.Training({all, 0, 0}, 1, {.crop = {6, 3, 16, 11}}, expected).ok());
  EXPECT_EQ(got, expected);
}

TEST(Renderer, CutsTheCentreOfTheScaledImageToEvaluate) {
  const image::Image image = Gradient(21, 14);
  // 14 is the short side: scaled to round(7 * 256 / 224) = 8, the long one to 8 * 21 / 14 = 12.
  const auto scaled = image::Resize(image, {0, 0, 21, 14}, 12, 8);
  ASSERT_TRUE(scaled.ok());
  const std::vector<float> rendered = Evaluate(image, 7), whole = ValuesOf(*scaled);
  // left = round(2.5) = 2, to even; top = round(0.5) = 0.
  for (int y = 0; y < 7; ++y) {
    for (int x = 0; x < 7; ++x) EXPECT_NEAR(rendered[7 * y + x], whole[12 * y + x + 2], 0.02);
  }
}

TEST(Renderer, CopesWithStripsToEvaluate) {
  const std::vector<float> strip = Evaluate({4000, 1, std::vector<uint8_t>(12000, 9)}, 64);
  const std::vector<float> pole = Evaluate({1, 4000, std::vector<uint8_t>(12000, 9)}, 64);
  EXPECT_EQ(strip, pole);
}

}  // namespace
}  // namespace ltml::data
