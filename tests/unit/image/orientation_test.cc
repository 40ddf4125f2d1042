#include "common/image/orientation.h"

#include <array>

#include "tests/unit/image/test_files.h"

namespace ltml::image {
namespace {

using namespace std::string_literals;

// A TIFF block of one entry.
std::string LittleEndianTiff(char orientation) {
  return "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + orientation + "\0\0\0\0\0\0\0"s;
}

TEST(ParseOrientation, ReadsBothByteOrders) {
  for (char orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(ParseOrientation(Bytes(LittleEndianTiff(orientation))), orientation);
  }
  const std::string big = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"s;
  EXPECT_EQ(ParseOrientation(Bytes(big)), 6);
}

TEST(ParseOrientation, IgnoresWhatIsBroken) {
  EXPECT_EQ(ParseOrientation({}), 1);
  EXPECT_EQ(ParseOrientation(Bytes(LittleEndianTiff(0))), 1);
  EXPECT_EQ(ParseOrientation(Bytes(LittleEndianTiff(9))), 1);
  EXPECT_EQ(ParseOrientation(Bytes("II*\0\xFF\xFF\xFF\xFF\x01\0"s)), 1);
  const std::string whole = LittleEndianTiff(6);
  for (size_t size = 0; size < 20; ++size) {
    EXPECT_EQ(ParseOrientation(Bytes(whole.substr(0, size))), 1) << size;
  }
}

// 3 x 2 pixels named by their red value:  1 2 3
//                                         4 5 6
Image Numbered() {
  Image image{3, 2, std::vector<uint8_t>(18, 0)};
  for (int i = 0; i < 6; ++i) image.rgb[3 * i] = static_cast<uint8_t>(i + 1);
  return image;
}

std::vector<int> Reds(const Image& image) {
  std::vector<int> reds;
  for (size_t i = 0; i < image.rgb.size(); i += 3) reds.push_back(image.rgb[i]);
  return reds;
}

TEST(TurnUpright, MovesEveryPixelAsTheStandardSays) {
  const std::array<std::vector<int>, 8> expected = {{{1, 2, 3, 4, 5, 6},
                                                     {3, 2, 1, 6, 5, 4},
                                                     {6, 5, 4, 3, 2, 1},
                                                     {4, 5, 6, 1, 2, 3},
                                                     {1, 4, 2, 5, 3, 6},
                                                     {4, 1, 5, 2, 6, 3},
                                                     {6, 3, 5, 2, 4, 1},
                                                     {3, 6, 2, 5, 1, 4}}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image turned = TurnUpright(Numbered(), orientation);
    EXPECT_EQ(turned.width, orientation >= 5 ? 2 : 3);
    EXPECT_EQ(Reds(turned), expected[orientation - 1]) << orientation;
  }
}

}  // namespace
}  // namespace ltml::image
