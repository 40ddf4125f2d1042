#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "common/image/decoder.h"
#include "tests/unit/image/test_files.h"

namespace ltml::image {
namespace {

// Small pixel limit: a damaged header must not make the test slow.
constexpr DecodeOptions kOptions = {.max_pixels = 1 << 20};

std::vector<std::string> SmallPictures() {
  std::vector<std::string> pictures;
  for (const auto& folder : {kHostile, kGolden / "jpeg"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string suffix = entry.path().extension();
      const bool picture = suffix == ".jpg" || suffix == ".png";
      if (picture && entry.file_size() < 10'000) pictures.push_back(entry.path().string());
    }
  }
  std::sort(pictures.begin(), pictures.end());
  for (std::string& picture : pictures) picture = ReadOrFail(picture);
  return pictures;
}

// What Decode promises for any bytes: a whole image or InvalidArgument.
void ExpectHandled(const std::string& file) {
  const auto image = Decode(Bytes(file), kOptions);
  if (image.ok()) {
    ASSERT_EQ(image->rgb.size(), size_t{3} * image->width * image->height);
  } else {
    ASSERT_EQ(image.status().code(), absl::StatusCode::kInvalidArgument) << image.status();
  }
}

// The same of parts, by one decoder for all files: at least the pixels under the box.
void ExpectPartHandled(Decoder& decoder, const std::string& file, unsigned random) {
  const auto size = decoder.Open(Bytes(file));
  if (!size.ok()) {
    ASSERT_EQ(size.status().code(), absl::StatusCode::kInvalidArgument) << size.status();
    return;
  }
  const Box box{size->width / 3, size->height / 4, size->width / 3 + (size->width + 2) / 3,
                size->height / 4 + (size->height + 1) / 2};
  const int scale = size->scales ? 1 << (random % 4) : 1;
  const auto part = decoder.Read(box, scale);
  if (!part.ok()) {
    ASSERT_EQ(part.status().code(), absl::StatusCode::kInvalidArgument) << part.status();
    return;
  }
  ASSERT_LE(part->left, box.left / scale);
  ASSERT_LE(part->top, box.top / scale);
  ASSERT_GE((part->left + part->view.width) * scale, box.right);
  ASSERT_GE((part->top + part->view.height) * scale, box.bottom);
  const uint8_t* last = part->view.row(part->view.height - 1);
  EXPECT_GE(last[3 * part->view.width - 1], 0);  // a sanitizer reads along
}

TEST(DamagedFiles, FlippedBitsNeverCrash) {
  std::mt19937 random(20210619);
  Decoder decoder(kOptions);
  for (const std::string& picture : SmallPictures()) {
    if (picture.empty()) continue;
    for (int i = 0; i < 400; ++i) {
      std::string damaged = picture;
      const int flips = 1 + static_cast<int>(random() % 4);
      for (int f = 0; f < flips; ++f) damaged[random() % damaged.size()] ^= 1 << (random() % 8);
      ExpectHandled(damaged);
      ExpectPartHandled(decoder, damaged, random());
    }
  }
}

TEST(DamagedFiles, CutFilesNeverCrash) {
  std::mt19937 random(7);
  Decoder decoder(kOptions);
  for (const std::string& picture : SmallPictures()) {
    for (int i = 0; i < 100 && !picture.empty(); ++i) {
      const std::string cut = picture.substr(0, random() % picture.size());
      ExpectHandled(cut);
      ExpectPartHandled(decoder, cut, random());
    }
  }
}

TEST(DamagedFiles, EveryCutOfAGoodFileIsRefused) {
  for (const char* name : {"good.jpg", "good.png", "progressive.jpg", "interlaced.png"}) {
    const std::string picture = ReadOrFail(kHostile / name);
    for (size_t size = 0; size < picture.size(); ++size) {
      const std::string cut = picture.substr(0, size);
      ASSERT_FALSE(Decode(Bytes(cut), kOptions).ok()) << name << " cut to " << size;
    }
  }
}

}  // namespace
}  // namespace ltml::image
