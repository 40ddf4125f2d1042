#include "cli/data_command.h"

#include <gmock/gmock.h>

#include <fstream>
#include <string>
#include <vector>

#include "cli/context.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/image/image.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Four pictures: "a" on three of them, "b" on one, in the data set `set`.
class DataCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::PrivateFolder::Create("ltml-data-command-test");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
    std::ofstream list(At("list.jsonl"));
    for (int i = 0; i < 4; ++i) {
      WritePicture(At(std::to_string(i) + ".jpg"), i);
      list << "{\"image\": \"" << i << ".jpg\", \"labels\": [" << (i < 3 ? "\"a\"" : "\"b\"")
           << "]}\n";
    }
  }

  std::string At(const std::string& name) const { return (folder_.path() / name).string(); }

  static void WritePicture(const std::string& file, int level) {
    image::Image picture{8, 8, std::vector<uint8_t>(8 * 8 * 3, static_cast<uint8_t>(60 * level))};
    const auto bytes = image::EncodeJpeg(picture, 90);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    std::ofstream(file, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes->data()),
               static_cast<std::streamsize>(bytes->size()));
  }

  // Runs `ltml data ARGUMENTS`; the exit code, with what it printed in out_ and err_.
  int Run(std::vector<std::string> arguments, OutputMode output = OutputMode::kText) {
    CLI::App program;
    Context context;
    context.output = output;
    context.quiet = true;
    AddDataCommand(program, context);
    arguments.insert(arguments.begin(), "data");
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    try {
      program.parse(reversed);
    } catch (const CLI::ParseError& error) {
      context.exit_code = 2;
    }
    std::fflush(stdout);
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return context.exit_code;
  }

  int ImportList() { return Run({"import", At("list.jsonl"), At("set")}); }

  std::string out_, err_;

 private:
  base::PrivateFolder folder_;
};

TEST_F(DataCommandTest, ImportSaysWhatItMade) {
  EXPECT_EQ(ImportList(), 0) << err_;
  EXPECT_EQ(out_, At("set") + ": 4 images, 2 classes, 4 labels\n");
  EXPECT_EQ(err_, "");
}

TEST_F(DataCommandTest, ImportPrintsItsMessageAsJson) {
  ASSERT_EQ(Run({"import", At("list.jsonl"), At("set")}, OutputMode::kJson), 0) << err_;
  v1::DatasetInfo info;
  ASSERT_TRUE(base::FromJson(out_, "stdout", &info).ok()) << out_;
  EXPECT_EQ(info.images(), 4);
  EXPECT_EQ(info.classes(0).images(), 3);
}

TEST_F(DataCommandTest, ExitCodesTellDataFromUsage) {
  EXPECT_EQ(Run({"import", At("list.jsonl"), At("set"), "--format", "coco"}), 2);
  EXPECT_THAT(err_, HasSubstr("format 'coco' is not available in this version"));
  EXPECT_EQ(Run({"import", At("list.jsonl"), At("set"), "--resize", "0"}), 2);
  EXPECT_EQ(Run({"import", At("list.jsonl"), At("set"), "--on-bad-image", "ask"}), 2);
  EXPECT_EQ(Run({"import", At("list.jsonl")}), 2);
  EXPECT_EQ(Run({"import", At("none.jsonl"), At("set")}), 3);
  std::ofstream(At("list.jsonl"), std::ios::app) << "{\"image\": \"x.jpg\", \"labels\": []}\n";
  EXPECT_EQ(ImportList(), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("list.jsonl:5: image 'x.jpg' is missing"),
                          HasSubstr("--on-bad-image skip")));
  EXPECT_EQ(Run({"import", At("list.jsonl"), At("set"), "--on-bad-image", "skip"}), 0);
  EXPECT_THAT(err_, HasSubstr("ltml: warning: line 5: skipped"));
  EXPECT_EQ(ImportList(), 6);
  EXPECT_THAT(err_, HasSubstr("exists already"));
}

TEST_F(DataCommandTest, InfoShowsFiguresAndClasses) {
  ASSERT_EQ(ImportList(), 0);
  ASSERT_EQ(Run({"info", At("set")}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("images           4\n"));
  EXPECT_THAT(out_, HasSubstr("labels an image  1.00\n"));
  EXPECT_THAT(out_, HasSubstr("2: 0 head (100 images and more), 0 medium (20 to 99), 2 tail"));
  EXPECT_THAT(out_, HasSubstr("3.0 (largest class 3, smallest 1)"));
  EXPECT_LT(out_.find("\na "), out_.find("\nb "));
  EXPECT_EQ(Run({"info", At("nowhere")}), 3);
}

TEST_F(DataCommandTest, InfoOfATruncatedShardIsAFaultOfData) {
  ASSERT_EQ(ImportList(), 0);
  std::filesystem::resize_file(At("set/shard-00000.tar"), 700);
  EXPECT_EQ(Run({"info", At("set")}), 1);
  EXPECT_THAT(err_, AllOf(HasSubstr("shard-00000.tar' holds 700 bytes, expected"),
                          HasSubstr("make the data set again")));
}

TEST_F(DataCommandTest, CheckFindsNothingOrExitsWithOne) {
  ASSERT_EQ(ImportList(), 0);
  EXPECT_EQ(Run({"check", At("set")}), 0);
  EXPECT_EQ(out_, At("set") + ": 4 images checked, 0 bad, 0 suspicious\n");
  WritePicture(At("1.jpg"), 0);
  ASSERT_EQ(Run({"import", At("list.jsonl"), At("twice")}), 0);
  EXPECT_EQ(Run({"check", At("twice")}), 1);
  EXPECT_THAT(out_, HasSubstr("suspicious: 1.jpg: the same picture as 0.jpg\n"));
  EXPECT_EQ(Run({"check", At("twice")}, OutputMode::kJson), 1);
  EXPECT_THAT(out_, HasSubstr("\"suspicious\""));
}

}  // namespace
}  // namespace ltml::cli
