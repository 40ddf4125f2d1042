#include "common/dataset/import.h"

#include <gmock/gmock.h>

#include "common/dataset/dataset.h"
#include "common/image/image.h"
#include "tests/unit/dataset/fixture.h"

namespace ltml::dataset {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ImportTest : public FolderTest {
 protected:
  std::shared_ptr<const Dataset> ImportAndOpen(const ImportOptions& options) {
    const auto result = Import(options);
    EXPECT_TRUE(result.ok()) << result.status();
    auto opened = Dataset::Open(options.destination);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *opened : nullptr;
  }
};

TEST_F(ImportTest, KeepsOrderNamesLabelsAndBytes) {
  WriteSmallList();
  const auto set = ImportAndOpen(SmallOptions());
  ASSERT_NE(set, nullptr);
  ASSERT_EQ(set->images(), 3);
  EXPECT_THAT(set->class_names(), ElementsAre("a", "b"));
  EXPECT_THAT(set->class_counts(), ElementsAre(1, 2));
  EXPECT_THAT(set->labels(0), ElementsAre(1u));
  EXPECT_THAT(set->labels(1), ElementsAre(0u, 1u));
  EXPECT_THAT(set->labels(2), IsEmpty());
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(set->name(i), std::to_string(i) + ".jpg");
    const auto bytes = set->bytes(i);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
              Read(At("pictures") / set->name(i)));
  }
  EXPECT_EQ(HiddenEntries(), 0);
}

TEST_F(ImportTest, SameSourceGivesTheSameFiles) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  const auto first = ImportAndOpen(options);
  options.destination = At("again/");
  const auto second = ImportAndOpen(options);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->fingerprint(), second->fingerprint());
  for (const char* file : {"dataset.json", "labels.bin", "index.bin", "shard-00000.tar"}) {
    EXPECT_EQ(Read(At("out/set") / file), Read(At("again") / file)) << file;
  }
}

TEST_F(ImportTest, FingerprintFollowsLabelsNamesAndBytes) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  const std::string base = ImportAndOpen(options)->fingerprint();
  const std::string list = Read(At("list.jsonl"));

  Write("list.jsonl", list.substr(0, list.rfind("[]")) + "[\"a\"]}\n");
  options.destination = At("labels");
  EXPECT_NE(ImportAndOpen(options)->fingerprint(), base);

  Write("list.jsonl", list);
  Write("pictures/2.jpg", Jpeg(9, 9, 200));
  options.destination = At("bytes");
  EXPECT_NE(ImportAndOpen(options)->fingerprint(), base);
}

TEST_F(ImportTest, ReadsWindowsLinesBlankLinesAndAByteOrderMark) {
  Write("a.jpg", Jpeg(4, 4, 1));
  Write("list.jsonl", "\xEF\xBB\xBF\r\n  {\"labels\": [\"x\"], \"image\": \"a.jpg\"}\r\n\n \t\n");
  ImportOptions options = SmallOptions();
  options.images.clear();
  EXPECT_EQ(ImportAndOpen(options)->images(), 1);
}

TEST_F(ImportTest, ClassTableFromLinesJsonAndDataSetFixNamesAndOrder) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  Write("lines.txt", "b\r\n\nunused\na\n");
  Write("table.json", " [\"b\", \"unused\", \"a\"]\n");
  options.classes = At("lines.txt");
  const auto result = Import(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->warnings, ElementsAre("class 'unused' has no image"));
  for (const char* table : {"table.json", "out/set"}) {
    options.classes = At(table);
    options.destination = At(std::string("from-") + (table[0] == 't' ? "json" : "set"));
    const auto set = ImportAndOpen(options);
    ASSERT_NE(set, nullptr);
    EXPECT_THAT(set->class_names(), ElementsAre("b", "unused", "a")) << table;
    EXPECT_THAT(set->class_counts(), ElementsAre(2, 0, 1)) << table;
  }
}

TEST_F(ImportTest, FolderOfClassFolders) {
  Write("tree/dog/b.jpg", Jpeg(4, 4, 1));
  Write("tree/dog/deep/a.JPEG", Jpeg(4, 4, 2));
  Write("tree/cat/b.png", HostileFile("good.png"));
  Write("tree/cat/notes.txt", "not a picture");
  std::filesystem::create_directories(At("tree/empty"));
  ImportOptions options;
  options.source = At("tree");
  options.destination = At("set");
  const auto result = Import(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->warnings,
              ElementsAre(HasSubstr("1 files that are not"), "class 'empty' has no image"));
  const auto set = *Dataset::Open(At("set"));
  EXPECT_THAT(set->class_names(), ElementsAre("cat", "dog", "empty"));
  ASSERT_EQ(set->images(), 3);
  EXPECT_EQ(set->name(0), "cat/b.png");
  EXPECT_EQ(set->name(1), "dog/b.jpg");
  EXPECT_EQ(set->name(2), "dog/deep/a.JPEG");
  EXPECT_THAT(set->labels(2), ElementsAre(1u));
}

TEST_F(ImportTest, ResizeLaysPicturesOnAWhiteSquare) {
  Write("wide.jpg", Jpeg(60, 20, 0));
  Write("list.jsonl", "{\"image\": \"wide.jpg\", \"labels\": [\"x\"]}\n");
  ImportOptions options = SmallOptions();
  options.images = At("");
  options.resize_short_side = 30;
  const auto set = ImportAndOpen(options);
  ASSERT_NE(set, nullptr);
  const auto picture = image::Decode(set->bytes(0), {});
  ASSERT_TRUE(picture.ok()) << picture.status();
  ASSERT_EQ(picture->width, 30);
  ASSERT_EQ(picture->height, 30);
  // 60 x 20 becomes 30 x 10 in the middle: rows 10 to 19 are black, the others white.
  EXPECT_GT(picture->rgb[(2 * 30 + 15) * 3], 245);
  EXPECT_LT(picture->rgb[(15 * 30 + 15) * 3], 10);
  EXPECT_GT(picture->rgb[(27 * 30 + 15) * 3], 245);
}

TEST_F(ImportTest, SkipsBadImagesOnDemandAndSaysWhich) {
  WriteSmallList();
  Write("pictures/1.jpg", HostileFile("truncated_header.jpg"));
  std::filesystem::remove(At("pictures/2.jpg"));
  ImportOptions options = SmallOptions();
  options.skip_bad_images = true;
  const auto result = Import(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->info.images(), 1);
  EXPECT_THAT(result->warnings,
              ElementsAre(HasSubstr("line 2: skipped: image '1.jpg' cannot be decoded"),
                          HasSubstr("line 3: skipped: image '2.jpg' is missing"),
                          "class 'a' has no image"));
}

TEST_F(ImportTest, ReportsProgressToTheEnd) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  int64_t last = 0;
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 3);
    last = done;
  };
  ASSERT_TRUE(Import(options).ok());
  EXPECT_EQ(last, 3);
}

TEST_F(ImportTest, StopsOnDemandAndLeavesNothing) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  options.stop = [] { return true; };
  EXPECT_EQ(Import(options).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(options.destination));
  EXPECT_EQ(HiddenEntries(), 0);
}

}  // namespace
}  // namespace ltml::dataset
