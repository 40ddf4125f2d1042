#include "tests/unit/dataset/fixture.h"

#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "common/image/image.h"

namespace ltml::dataset {
namespace {

std::string ReadWhole(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream.good()) << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

std::string Jpeg(int width, int height, int level) {
  image::Image picture{width, height, {}};
  picture.rgb.assign(static_cast<size_t>(width) * height * 3, static_cast<uint8_t>(level));
  const auto bytes = image::EncodeJpeg(picture, 90);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

std::string HostileFile(std::string_view name) {
  return ReadWhole(std::filesystem::path(LTML_SOURCE_DIR) / "tests/data/hostile" / name);
}

void FolderTest::SetUp() {
  auto folder = base::PrivateFolder::Create("ltml-dataset-test");
  ASSERT_TRUE(folder.ok()) << folder.status();
  folder_ = *std::move(folder);
}

void FolderTest::Write(std::string_view relative, std::string_view content) const {
  std::filesystem::create_directories(At(relative).parent_path());
  std::ofstream(At(relative), std::ios::binary) << content;
}

std::string FolderTest::Read(const std::filesystem::path& file) const { return ReadWhole(file); }

void FolderTest::WriteSmallList() const {
  for (const int i : {0, 1, 2}) {
    Write("pictures/" + std::to_string(i) + ".jpg", Jpeg(8 + i, 6, 40 * i));
  }
  Write("list.jsonl",
        "{\"image\": \"0.jpg\", \"labels\": [\"b\"]}\n"
        "{\"image\": \"1.jpg\", \"labels\": [\"b\", \"a\"]}\n"
        "{\"image\": \"2.jpg\", \"labels\": []}\n");
}

ImportOptions FolderTest::SmallOptions() const {
  ImportOptions options;
  options.source = At("list.jsonl");
  options.images = At("pictures");
  options.destination = At("out/set");
  return options;
}

int FolderTest::HiddenEntries() const {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(At(""))) {
    if (entry.path().filename().string().starts_with(".")) ++count;
  }
  return count;
}

}  // namespace ltml::dataset
