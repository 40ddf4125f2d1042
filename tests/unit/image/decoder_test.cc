#include "common/image/decoder.h"

#include <algorithm>
#include <random>
#include <string>

#include "common/image/codecs.h"
#include "tests/unit/image/test_files.h"

namespace ltml::image {
namespace {

Image Noise(int width, int height) {
  std::mt19937 random(3);
  Image image{width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  int value = 100;
  for (uint8_t& byte : image.rgb) {
    value = std::clamp(value + static_cast<int>(random() % 61) - 30, 0, 255);
    byte = static_cast<uint8_t>(value);
  }
  return image;
}

struct File {
  std::string name;
  std::string content;
};

// All kinds of subsampling, grey, inks, progressive; the golden and hostile ones that decode, and
// two larger ones whose sizes fill no block.
std::vector<File> Jpegs() {
  std::vector<File> files;
  for (const auto& folder : {kHostile, kGolden / "jpeg"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".jpg") continue;
      File file{entry.path().filename().string(), ReadOrFail(entry.path())};
      if (Decode(Bytes(file.content), {.max_pixels = 1 << 20}).ok()) files.push_back(file);
    }
  }
  for (const int quality : {60, 95}) {
    const auto bytes = *EncodeJpeg(Noise(157, 115), quality);
    files.push_back({"quality " + std::to_string(quality),
                     std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  }
  return files;
}

// The pixels of a part that lie under a box of the picture at its scale.
std::vector<uint8_t> Cut(const Decoder::Part& part, Box box) {
  std::vector<uint8_t> rgb;
  for (int y = box.top; y < box.bottom; ++y) {
    const uint8_t* row = part.view.row(y - part.top) + std::ptrdiff_t{3} * (box.left - part.left);
    rgb.insert(rgb.end(), row, row + std::ptrdiff_t{3} * (box.right - box.left));
  }
  return rgb;
}

Box RandomBox(std::mt19937& random, int width, int height) {
  Box box;
  box.left = static_cast<int>(random() % width);
  box.top = static_cast<int>(random() % height);
  box.right = box.left + 1 + static_cast<int>(random() % (width - box.left));
  box.bottom = box.top + 1 + static_cast<int>(random() % (height - box.top));
  return box;
}

// A box's pixels do not depend on what else is read, so caches and shared reads change nothing.
TEST(Decoder, ReadsPartsThatAreCutFromTheWhole) {
  std::mt19937 random(11);
  Decoder decoder;
  int tried = 0;
  for (const File& file : Jpegs()) {
    SCOPED_TRACE(file.name);
    const auto size = decoder.Open(Bytes(file.content));
    ASSERT_TRUE(size.ok()) << size.status();
    for (const int scale : {1, 2, 4, 8}) {
      if (scale > 1 && !size->scales) continue;
      const auto whole = decoder.Read({0, 0, size->width, size->height}, scale);
      ASSERT_TRUE(whole.ok()) << whole.status();
      const std::vector<uint8_t> copy(whole->view.rgb,
                                      whole->view.rgb + whole->view.stride * whole->view.height);
      const Decoder::Part all{
          {copy.data(), whole->view.width, whole->view.height, whole->view.stride},
          whole->left,
          whole->top};
      for (int i = 0; i < 300; ++i, ++tried) {
        const Box box = RandomBox(random, size->width, size->height);
        const Box scaled = {box.left / scale, box.top / scale, (box.right + scale - 1) / scale,
                            (box.bottom + scale - 1) / scale};
        const auto part = decoder.Read(box, scale);
        ASSERT_TRUE(part.ok()) << part.status();
        ASSERT_TRUE(Cut(*part, scaled) == Cut(all, scaled))
            << "box " << box.left << " " << box.top << " " << box.right << " " << box.bottom
            << " at 1/" << scale;
      }
    }
  }
  EXPECT_GT(tried, 15000);
}

TEST(Decoder, ReadsAllAsDecodeDoes) {
  Decoder decoder;
  for (const char* name : {"exif_6.jpg", "good.jpg", "rgba.png", "cmyk_adobe.jpg"}) {
    const std::string content = ReadOrFail(kHostile / name);
    const auto size = decoder.Open(Bytes(content));
    ASSERT_TRUE(size.ok()) << size.status();
    const auto expected = Decode(Bytes(content), {});
    EXPECT_EQ(size->width, expected->width);
    EXPECT_EQ(size->height, expected->height);
    const auto all = decoder.ReadAll();
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(all->rgb == expected->rgb) << name;
    const auto part = decoder.Read({0, 0, size->width, size->height}, 1);
    ASSERT_TRUE(part.ok()) << part.status();
    EXPECT_TRUE(Cut(*part, {0, 0, size->width, size->height}) == expected->rgb) << name;
  }
}

TEST(Decoder, ScalesJpegsThatNeedNoTurning) {
  Decoder decoder, as_stored({.apply_orientation = false});
  const std::string turned = ReadOrFail(kHostile / "exif_6.jpg");
  const std::string png = ReadOrFail(kHostile / "good.png");
  const std::string good = ReadOrFail(kHostile / "good.jpg");
  EXPECT_FALSE(decoder.Open(Bytes(turned))->scales);
  EXPECT_FALSE(decoder.Open(Bytes(png))->scales);
  EXPECT_TRUE(decoder.Open(Bytes(good))->scales);
  EXPECT_TRUE(as_stored.Open(Bytes(turned))->scales);
}

// A constant picture is the same at every scale, a halved one has its size rounded up.
TEST(Decoder, ReadsHalvesQuartersAndEighths) {
  const auto bytes = *EncodeJpeg({61, 43, std::vector<uint8_t>(61 * 43 * 3, 90)}, 95);
  Decoder decoder;
  ASSERT_TRUE(decoder.Open(bytes).ok());
  for (const int scale : {2, 4, 8}) {
    const auto part = decoder.Read({0, 0, 61, 43}, scale);
    ASSERT_TRUE(part.ok()) << part.status();
    EXPECT_EQ(part->view.width, (61 + scale - 1) / scale);
    EXPECT_EQ(part->view.height, (43 + scale - 1) / scale);
    for (int i = 0; i < 3 * part->view.width; ++i) EXPECT_NEAR(part->view.row(0)[i], 90, 1);
  }
}

TEST(Decoder, GoesOnAfterABadFile) {
  Decoder decoder;
  const std::string good = ReadOrFail(kHostile / "good.jpg");
  const auto expected = Decode(Bytes(good), {});
  for (const char* name : {"truncated_half.jpg", "corrupt_scan.jpg", "empty.jpg", "no_sof.jpg",
                           "bomb_scans.jpg", "text.jpg", "short_idat.png"}) {
    const std::string bad = ReadOrFail(kHostile / name);
    const auto opened = decoder.Open(Bytes(bad));
    EXPECT_FALSE(opened.ok() && decoder.ReadAll().ok()) << name;
    ASSERT_TRUE(decoder.Open(Bytes(good)).ok()) << name;
    const auto all = decoder.ReadAll();
    ASSERT_TRUE(all.ok()) << name << ": " << all.status();
    EXPECT_TRUE(all->rgb == expected->rgb) << name;
  }
}

// Damage inside or above the box is told, for every cut of the file.
TEST(Decoder, NoticesWhatIsCutOffABox) {
  const std::string good = ReadOrFail(kHostile / "good.jpg");  // 48 x 32
  const auto expected = Decode(Bytes(good), {});
  Decoder decoder;
  int whole = 0;
  for (size_t size = 0; size < good.size(); ++size) {
    const std::string cut = good.substr(0, size);
    if (!decoder.Open(Bytes(cut)).ok()) continue;
    const auto part = decoder.Read({20, 2, 40, 9}, 1);
    if (!part.ok()) continue;
    ++whole;
    for (int y = 2; y < 9; ++y) {
      const uint8_t* row = part->view.row(y - part->top) + std::ptrdiff_t{3} * (20 - part->left);
      ASSERT_TRUE(std::equal(row, row + 60, expected->rgb.begin() + 3 * (48 * y + 20))) << size;
    }
  }
  EXPECT_GT(whole, 0);
}

TEST(ScaleFor, LeavesTheCropAtLeastAsLargeAsTheTarget) {
  EXPECT_EQ(ScaleFor({0, 0, 447, 900}, 224), 1);
  EXPECT_EQ(ScaleFor({0, 0, 900, 447}, 224), 1);
  EXPECT_EQ(ScaleFor({10, 10, 458, 458}, 224), 2);
  EXPECT_EQ(ScaleFor({0, 0, 895, 895}, 224), 2);
  EXPECT_EQ(ScaleFor({0, 0, 896, 896}, 224), 4);
  EXPECT_EQ(ScaleFor({0, 0, 1792, 1792}, 224), 8);
  EXPECT_EQ(ScaleFor({0, 0, 99999, 99999}, 224), 8);
  EXPECT_EQ(ScaleFor({0, 0, 1, 1}, 224), 1);
}

}  // namespace
}  // namespace ltml::image
