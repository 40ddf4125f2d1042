#include <cstdlib>
#include <random>

#include "tests/unit/image/test_files.h"

namespace ltml::image {
namespace {

using simdjson::dom::element;

Image Random(int width, int height, unsigned seed) {
  std::mt19937 random(seed);
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (uint8_t& value : image.rgb) value = static_cast<uint8_t>(random());
  return image;
}

Box BoxOf(element entry, const Image& image) {
  element box;
  if (entry["box"].get(box) || box.is_null()) return {0, 0, image.width, image.height};
  std::vector<int> edges;
  for (const int64_t edge : box.get_array()) edges.push_back(static_cast<int>(edge));
  return {edges[0], edges[1], edges[2], edges[3]};
}

struct Difference {
  int largest = 0;
  size_t unequal = 0;
};

Difference Compare(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  Difference difference;
  for (size_t i = 0; i < a.size(); ++i) {
    difference.largest = std::max(difference.largest, std::abs(a[i] - b[i]));
    difference.unequal += a[i] != b[i];
  }
  return difference;
}

TEST(Resize, EqualsTorchvisionsGoldenValues) {
  simdjson::dom::parser parser;
  for (const element entry : parser.load((kGolden / "resize.json").string())["cases"]) {
    SCOPED_TRACE(std::string_view(entry["name"]));
    const Image image{static_cast<int>(int64_t{entry["width"]}),
                      static_cast<int>(int64_t{entry["height"]}), Uint8s(entry["input"])};
    const auto out =
        Resize(image, BoxOf(entry, image), static_cast<int>(int64_t{entry["out_width"]}),
               static_cast<int>(int64_t{entry["out_height"]}));
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_TRUE(out->rgb == Uint8s(entry["torchvision_uint8"]));
    const Difference pillow = Compare(out->rgb, Uint8s(entry["pillow"]));
    EXPECT_LE(pillow.largest, 1);
    EXPECT_LE(pillow.unequal, out->rgb.size() / 50);
  }
}

TEST(Resize, OfABoxReadsNothingBeyondIt) {
  Image image = Random(31, 23, 1);
  const Box box{4, 3, 25, 20};
  Image cut{21, 17, {}};
  for (int y = box.top; y < box.bottom; ++y) {
    const auto row = image.rgb.begin() + 3 * (y * image.width + box.left);
    cut.rgb.insert(cut.rgb.end(), row, row + 3 * cut.width);
  }
  EXPECT_EQ(Resize(image, box, 9, 40)->rgb, Resize(cut, {0, 0, 21, 17}, 9, 40)->rgb);
}

TEST(Resize, KeepsAPlainImagePlain) {
  const Image plain{50, 20, std::vector<uint8_t>(3000, 201)};
  for (const auto& [width, height] : {std::pair{7, 3}, {120, 77}, {1, 1}, {50, 19}}) {
    const auto out = Resize(plain, {0, 0, 50, 20}, width, height);
    ASSERT_TRUE(out.ok());
    const Difference difference = Compare(out->rgb, std::vector<uint8_t>(out->rgb.size(), 201));
    EXPECT_LE(difference.largest, 0);
  }
}

TEST(Resize, RefusesBadBoxesAndSizes) {
  const Image image = Random(8, 6, 2);
  EXPECT_FALSE(Resize(image, {0, 0, 9, 6}, 4, 4).ok());
  EXPECT_FALSE(Resize(image, {-1, 0, 8, 6}, 4, 4).ok());
  EXPECT_FALSE(Resize(image, {3, 0, 3, 6}, 4, 4).ok());
  EXPECT_FALSE(Resize(image, {0, 0, 8, 6}, 0, 4).ok());
  EXPECT_FALSE(Resize(image, {0, 0, 8, 6}, 1 << 20, 1 << 20).ok());
  EXPECT_FALSE(Resize({8, 6, {}}, {0, 0, 8, 6}, 4, 4).ok());
}

TEST(ResizeWindow, IsAPartOfTheWholeResize) {
  const Image image = Random(61, 47, 3);
  const auto whole = Resize(image, {0, 0, 61, 47}, 30, 90);
  const Box window{5, 33, 24, 71};
  const auto part = ResizeWindow(image, 30, 90, window);
  ASSERT_TRUE(whole.ok() && part.ok());
  ASSERT_EQ(part->width, 19);
  ASSERT_EQ(part->height, 38);
  // Fixed-point precision follows the largest weight of the window, so a level may differ.
  for (int y = 0; y < part->height; ++y) {
    for (int i = 0; i < 3 * part->width; ++i) {
      const size_t at = 3 * ((y + window.top) * 30 + window.left) + i;
      ASSERT_NEAR(part->rgb[y * 3 * part->width + i], whole->rgb[at], 1);
    }
  }
}

TEST(ResizeWindow, CopesWithAStrip) {
  const Image strip = Random(4000, 1, 4);
  const auto out = ResizeWindow(strip, 4000 * 256, 256, {511888, 16, 512112, 240});
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ(out->width, 224);
}

TEST(FitOnWhiteSquare, ShrinksAndCentresOnWhite) {
  const Image black{200, 100, std::vector<uint8_t>(60000, 0)};
  const auto square = FitOnWhiteSquare(black, 96);
  ASSERT_TRUE(square.ok());
  ASSERT_EQ(square->width, 96);
  ASSERT_EQ(square->height, 96);
  const auto value = [&](int x, int y) { return int{square->rgb[3 * (y * 96 + x)]}; };
  EXPECT_EQ(value(0, 23), 255);
  EXPECT_EQ(value(0, 24), 0);
  EXPECT_EQ(value(95, 71), 0);
  EXPECT_EQ(value(95, 72), 255);
}

TEST(FitOnWhiteSquare, LeavesSmallImagesUnscaled) {
  const Image small = Random(3, 2, 5);
  const auto square = FitOnWhiteSquare(small, 7);
  ASSERT_TRUE(square.ok());
  for (int i = 0; i < 9; ++i) EXPECT_EQ(square->rgb[3 * (2 * 7 + 2) + i], small.rgb[i]);
  EXPECT_EQ(square->rgb[0], 255);
  EXPECT_TRUE(FitOnWhiteSquare(Random(1, 5000, 6), 7).ok());
  EXPECT_FALSE(FitOnWhiteSquare(small, 0).ok());
}

}  // namespace
}  // namespace ltml::image
