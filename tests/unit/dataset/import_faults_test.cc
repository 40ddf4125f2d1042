#include <gmock/gmock.h>

#include <algorithm>

#include "common/dataset/dataset.h"
#include "common/dataset/import.h"
#include "tests/unit/dataset/fixture.h"

namespace ltml::dataset {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ImportFaultsTest : public FolderTest {
 protected:
  // The message of an import that must fail and leave nothing behind.
  std::string Fault(const ImportOptions& options,
                    absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const auto result = Import(options);
    EXPECT_EQ(result.status().code(), code) << result.status();
    EXPECT_FALSE(std::filesystem::exists(options.destination));
    EXPECT_EQ(HiddenEntries(), 0);
    return std::string(result.status().message());
  }

  std::string FaultOfLine(std::string_view line) {
    WriteSmallList();
    Write("list.jsonl",
          std::string("{\"image\": \"0.jpg\", \"labels\": [\"b\"]}\n") + std::string(line) + "\n");
    return Fault(SmallOptions());
  }
};

TEST_F(ImportFaultsTest, EveryFaultAtOnceWithItsLine) {
  WriteSmallList();
  Write("pictures/bad.jpg", HostileFile("html.jpg"));
  Write("outside.jpg", Jpeg(4, 4, 9));
  std::filesystem::create_symlink(At("outside.jpg"), At("pictures/link.jpg"));
  Write("classes.txt", "a\nb\n");
  Write("list.jsonl",
        "{\"image\": \"0.jpg\", \"labels\": [\"b\"]}\n"
        "{\"image\": \"none.jpg\", \"labels\": [\"b\"]}\n"
        "{\"image\": \"./0.jpg\", \"labels\": [\"b\"]}\n"
        "{\"image\": \"1.jpg\", \"labels\": [\"c\"]}\n"
        "{\"image\": \"2.jpg\", \"labels\": [\"\"]}\n"
        "{\"image\": \"bad.jpg\", \"labels\": [\"a\", \"a\"]}\n"
        "{\"image\": \"../outside.jpg\", \"labels\": []}\n"
        "{\"image\": \"link.jpg\", \"labels\": []}\n"
        "{\"image\": \"/etc/passwd\", \"labels\": []}\n"
        "this is no JSON\n");
  ImportOptions options = SmallOptions();
  options.classes = At("classes.txt");
  const std::string message = Fault(options);
  const std::string list = At("list.jsonl").string();
  for (const std::string expected :
       {":2: image 'none.jpg' is missing", ":3: image './0.jpg' stands on line 1 already",
        ":4: label 'c' is not in the class table of 2 names", ":5: a label is empty",
        ":6: label 'a' stands twice", ":6: image 'bad.jpg' cannot be decoded",
        ":7: the image path '../outside.jpg' leaves", ":8: image 'link.jpg' is a link to",
        ":9: the image path '/etc/passwd' is absolute", ":10: the line is not JSON"}) {
    EXPECT_THAT(message, HasSubstr(list + expected));
  }
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 9);
  EXPECT_THAT(message, Not(HasSubstr("more")));
}

TEST_F(ImportFaultsTest, ShowsTwentyAndCountsTheOthers) {
  WriteSmallList();
  std::string list;
  for (int i = 0; i < 50; ++i) {
    list += "{\"image\": \"none" + std::to_string(i) + ".jpg\", \"labels\": [\"x\"]}\n";
  }
  Write("list.jsonl", list);
  const std::string message = Fault(SmallOptions());
  EXPECT_THAT(message, HasSubstr(":20: image 'none19.jpg'"));
  EXPECT_THAT(message, Not(HasSubstr("none20.jpg")));
  EXPECT_THAT(message, HasSubstr("and 30 more faults"));
}

TEST_F(ImportFaultsTest, WrongLines) {
  EXPECT_THAT(FaultOfLine("[1]"), HasSubstr(":2: the line is a list"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\"}"), HasSubstr(":2: the key 'labels' is missing"));
  EXPECT_THAT(FaultOfLine("{\"labels\": []}"), HasSubstr(":2: the key 'image' is missing"));
  EXPECT_THAT(FaultOfLine("{\"image\": 7, \"labels\": []}"), HasSubstr("'image' is a number"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\", \"labels\": \"a\"}"),
              HasSubstr("'labels' is a string"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\", \"labels\": [null]}"),
              HasSubstr("a label is null"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\", \"labels\": [], \"id\": 3}"),
              HasSubstr("unknown key 'id'"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\", \"image\": \"2.jpg\", \"labels\": []}"),
              HasSubstr("the key 'image' stands twice"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\", \"labels\": []} {}"), HasSubstr("not JSON"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\", \"labels\": [\"a\"]"), HasSubstr("not JSON"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"\xC3\x28.jpg\", \"labels\": []}"),
              HasSubstr("not valid UTF-8"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"\", \"labels\": []}"), HasSubstr("path is empty"));
  EXPECT_THAT(FaultOfLine("{\"image\": \"1.jpg\\u0000\", \"labels\": []}"),
              HasSubstr("'1.jpg\\x00' is not printable"));
  EXPECT_THAT(FaultOfLine("{\"image\": \".\", \"labels\": []}"), HasSubstr("is not a file"));
  EXPECT_THAT(FaultOfLine(std::string(3000, '[')), HasSubstr(":2: the line is "));
}

TEST_F(ImportFaultsTest, EmptyListAndListWithoutLabels) {
  WriteSmallList();
  Write("list.jsonl", "\n");
  EXPECT_THAT(Fault(SmallOptions()), HasSubstr("the list has no images"));
  Write("list.jsonl", "");
  EXPECT_THAT(Fault(SmallOptions()), HasSubstr("the list has no images"));
  Write("list.jsonl", "{\"image\": \"0.jpg\", \"labels\": []}\n");
  EXPECT_THAT(Fault(SmallOptions()), HasSubstr("no image has a label"));
}

TEST_F(ImportFaultsTest, WrongClassTables) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  options.classes = At("classes");
  EXPECT_THAT(Fault(options, absl::StatusCode::kNotFound), HasSubstr("there is no class table"));
  Write("classes", "a\nb\na\n");
  EXPECT_THAT(Fault(options), HasSubstr("classes:3: the class 'a' stands twice"));
  Write("classes", "[\"a\", \"b\"");
  EXPECT_THAT(Fault(options), HasSubstr("begins like a JSON list but is not JSON"));
  Write("classes", "[\"a\", 7]");
  EXPECT_THAT(Fault(options), HasSubstr("class 2 is a number"));
  Write("classes", "\n");
  EXPECT_THAT(Fault(options), HasSubstr("the class table is empty"));
  options.classes = At("pictures");
  EXPECT_THAT(Fault(options, absl::StatusCode::kNotFound), HasSubstr("no imported data set"));
}

TEST_F(ImportFaultsTest, WrongSourcesAndFormats) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  options.format = "coco";
  EXPECT_THAT(Fault(options), HasSubstr("format 'coco' is not available in this version"));
  options.format = "xml";
  EXPECT_THAT(Fault(options), HasSubstr("there is no format 'xml'"));
  options.format = "folder";
  EXPECT_THAT(Fault(options), HasSubstr("'folder' needs a folder of class folders"));
  options.source = At("pictures");
  EXPECT_THAT(Fault(options), HasSubstr("leave --images out"));
}

TEST_F(ImportFaultsTest, MissingSourceAndImages) {
  WriteSmallList();
  ImportOptions options = SmallOptions();
  options.images = At("nowhere");
  EXPECT_THAT(Fault(options, absl::StatusCode::kNotFound), HasSubstr("there is no images folder"));
  options = SmallOptions();
  options.source = At("nowhere.jsonl");
  EXPECT_THAT(Fault(options, absl::StatusCode::kNotFound), HasSubstr("there is no file or folder"));
  options.source = At("pictures/0.jpg");
  EXPECT_THAT(Fault(options), HasSubstr("cannot tell the format"));
}

TEST_F(ImportFaultsTest, FilledDestinationIsKept) {
  WriteSmallList();
  Write("out/set/mine.txt", "mine");
  const auto result = Import(SmallOptions());
  EXPECT_EQ(result.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("choose another destination"));
  EXPECT_EQ(Read(At("out/set/mine.txt")), "mine");
  EXPECT_EQ(HiddenEntries(), 0);
}

TEST_F(ImportFaultsTest, EmptyDestinationIsFilled) {
  WriteSmallList();
  std::filesystem::create_directories(At("out/set"));
  EXPECT_TRUE(Import(SmallOptions()).ok());
  EXPECT_TRUE(Dataset::Open(At("out/set")).ok());
}

TEST_F(ImportFaultsTest, NothingLeftAfterSkipping) {
  Write("list.jsonl", "{\"image\": \"none.jpg\", \"labels\": [\"x\"]}\n");
  ImportOptions options = SmallOptions();
  options.images = At("");
  options.skip_bad_images = true;
  EXPECT_THAT(Fault(options), HasSubstr("no image is left"));
}

}  // namespace
}  // namespace ltml::dataset
