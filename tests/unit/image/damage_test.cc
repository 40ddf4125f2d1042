#include <algorithm>
#include <random>
#include <string>
#include <vector>

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

TEST(DamagedFiles, FlippedBitsNeverCrash) {
  std::mt19937 random(20210619);
  for (const std::string& picture : SmallPictures()) {
    if (picture.empty()) continue;
    for (int i = 0; i < 400; ++i) {
      std::string damaged = picture;
      const int flips = 1 + static_cast<int>(random() % 4);
      for (int f = 0; f < flips; ++f) damaged[random() % damaged.size()] ^= 1 << (random() % 8);
      ExpectHandled(damaged);
    }
  }
}

TEST(DamagedFiles, CutFilesNeverCrash) {
  std::mt19937 random(7);
  for (const std::string& picture : SmallPictures()) {
    for (int i = 0; i < 100 && !picture.empty(); ++i) {
      ExpectHandled(picture.substr(0, random() % picture.size()));
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
