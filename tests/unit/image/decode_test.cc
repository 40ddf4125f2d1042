#include <ctime>
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/image/test_files.h"

namespace ltml::image {
namespace {

using simdjson::dom::element;

struct Corner {
  const char* name;
  bool right, bottom;
};
constexpr Corner kCorners[] = {
    {"tl", false, false}, {"tr", true, false}, {"bl", false, true}, {"br", true, true}};

void ExpectCorners(const Image& image, element entry) {
  const int64_t tolerance = entry["tolerance"];
  for (const Corner& corner : kCorners) {
    const std::vector<uint8_t> expected = Uint8s(entry["corners"][corner.name]);
    const int x = corner.right ? image.width - 3 : 2;
    const int y = corner.bottom ? image.height - 3 : 2;
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(image.rgb[(y * image.width + x) * 3 + c], expected[c], tolerance)
          << corner.name << " channel " << c;
    }
  }
}

void ExpectDecoded(const absl::StatusOr<Image>& image, element entry) {
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->width, int64_t{entry["width"]});
  EXPECT_EQ(image->height, int64_t{entry["height"]});
  EXPECT_EQ(image->rgb.size(), size_t{3} * image->width * image->height);
  element corners;
  if (!entry["corners"].get(corners)) ExpectCorners(*image, entry);
}

void ExpectRefused(const absl::Status& status, std::string_view reason) {
  EXPECT_THAT(std::string(status.message()), testing::StartsWith(std::string(reason) + ":"));
}

double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

void CheckEntry(element entry) {
  const std::string file{std::string_view(entry["file"])};
  SCOPED_TRACE(file);
  const std::string content = ReadOrFail(kHostile / file);
  const double start = ProcessorSeconds();
  const auto image = Decode(Bytes(content), {});
  const double seconds = ProcessorSeconds() - start;
  const std::string_view expect = entry["expect"];
  if (expect == "decode" || (expect == "either" && image.ok())) ExpectDecoded(image, entry);
  if (!image.ok()) {
    EXPECT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument);
  }
  if (expect == "reject") ExpectRefused(image.status(), entry["reason"]);
  int64_t limit_ms;
  // Four times the limit leaves room for sanitizers.
  if (!entry["max_ms"].get(limit_ms)) {
    EXPECT_LT(seconds * 1000, 4.0 * limit_ms);
  }
}

TEST(Decode, TreatsEveryHostileFileAsItsManifestSays) {
  simdjson::dom::parser parser;
  int files = 0;
  for (const element entry : parser.load((kHostile / "manifest.json").string())["files"]) {
    CheckEntry(entry);
    ++files;
  }
  EXPECT_EQ(files, 63);
}

TEST(Decode, GivesTheGoldenPixelsOfJpegs) {
  simdjson::dom::parser parser;
  for (const element entry : parser.load((kGolden / "jpeg.json").string())["files"]) {
    const std::string_view file = entry["file"];
    SCOPED_TRACE(file);
    const std::string content = ReadOrFail(kGolden / file);
    const auto image = Decode(Bytes(content), {.apply_orientation = false});
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->width, int64_t{entry["width"]});
    EXPECT_EQ(image->height, int64_t{entry["height"]});
    EXPECT_TRUE(image->rgb == Uint8s(entry["rgb"])) << "pixels differ from Pillow's";
  }
}

TEST(Decode, RefusesTheGoldenBrokenFilesAndReadsAPngNamedJpg) {
  simdjson::dom::parser parser;
  const element golden = parser.load((kGolden / "jpeg.json").string());
  for (const element file : golden["broken"]) {
    const std::string content = ReadOrFail(kGolden / std::string_view(file));
    EXPECT_FALSE(Decode(Bytes(content), {}).ok()) << file;
  }
  const std::string png = ReadOrFail(kGolden / std::string_view(golden["png"]));
  EXPECT_TRUE(Decode(Bytes(png), {}).ok());
}

TEST(Decode, HoldsItsLimits) {
  const std::string jpeg = ReadOrFail(kHostile / "good.jpg");  // 48 x 32
  EXPECT_TRUE(Decode(Bytes(jpeg), {.max_pixels = 48 * 32}).ok());
  EXPECT_FALSE(Decode(Bytes(jpeg), {.max_pixels = 48 * 32 - 1}).ok());
  EXPECT_FALSE(Decode(Bytes(jpeg), {.max_bytes = 704}).ok());
  const std::string progressive = ReadOrFail(kHostile / "progressive.jpg");
  EXPECT_TRUE(Decode(Bytes(progressive), {.max_scans = 20}).ok());
  EXPECT_THAT(std::string(Decode(Bytes(progressive), {.max_scans = 2}).status().message()),
              testing::StartsWith("too many scans"));
}

TEST(Decode, ExpandsGreyDepths) {
  const std::string stripes_file = ReadOrFail(kHostile / "grey1.png");
  const auto stripes = Decode(Bytes(stripes_file), {});
  ASSERT_TRUE(stripes.ok());
  EXPECT_EQ(stripes->rgb[0], 255);
  EXPECT_EQ(stripes->rgb[3 * 4], 0);
  const std::string ramp_file = ReadOrFail(kHostile / "grey16.png");
  const auto ramp = Decode(Bytes(ramp_file), {});
  ASSERT_TRUE(ramp.ok());
  EXPECT_EQ(ramp->rgb[0], 0);
  EXPECT_EQ(ramp->rgb[3 * 47], 255);
}

TEST(EncodeJpeg, ComesBackNearlyTheSame) {
  Image image{40, 24, {}};
  for (int i = 0; i < 40 * 24; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<uint8_t>(i % 40 * 3 + 40 * c));
  }
  for (const int quality : {75, 95}) {
    const auto file = EncodeJpeg(image, quality);
    ASSERT_TRUE(file.ok()) << file.status();
    const auto back = Decode(*file, {});
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_EQ(back->rgb.size(), image.rgb.size());
    for (size_t i = 0; i < image.rgb.size(); ++i) ASSERT_NEAR(back->rgb[i], image.rgb[i], 12);
  }
}

TEST(EncodeJpeg, RefusesWhatCannotBeWritten) {
  EXPECT_FALSE(EncodeJpeg({0, 0, {}}, 75).ok());
  EXPECT_FALSE(EncodeJpeg({2, 2, std::vector<uint8_t>(11)}, 75).ok());
  EXPECT_FALSE(EncodeJpeg({70000, 1, std::vector<uint8_t>(210000)}, 75).ok());
  EXPECT_FALSE(EncodeJpeg({1, 1, {1, 2, 3}}, 0).ok());
  EXPECT_FALSE(EncodeJpeg({1, 1, {1, 2, 3}}, 101).ok());
}

}  // namespace
}  // namespace ltml::image
