#include "common/view/line_file.h"

#include <gmock/gmock.h>

#include "tests/unit/view/fixture.h"

namespace ltml::view {
namespace {

using testing::ElementsAre;

class LineFileTest : public RunFolderTest {
 protected:
  // New lines, with "restart" where the file begins again.
  std::vector<std::string> Read() {
    std::vector<std::string> lines;
    status_ = file_.Read([&] { lines.emplace_back("restart"); },
                         [&](std::string_view line) { lines.emplace_back(line); });
    return lines;
  }
  LineFile file_{run_, "metrics.jsonl"};
  absl::Status status_;
};

TEST_F(LineFileTest, ReadsOnWhereItWas) {
  EXPECT_TRUE(Read().empty());
  EXPECT_TRUE(status_.ok()) << status_;
  Append("metrics.jsonl", "a\nb\nunfini");
  EXPECT_THAT(Read(), ElementsAre("restart", "a", "b"));
  EXPECT_TRUE(Read().empty());
  Append("metrics.jsonl", "shed\n\nc\n");
  EXPECT_THAT(Read(), ElementsAre("unfinished", "", "c"));
}

TEST_F(LineFileTest, BeginsAgainWithAnotherFile) {
  Append("metrics.jsonl", "a\nb\n");
  Read();
  // As a resumed run does it, with more than was there.
  ASSERT_TRUE(base::WriteFileAtomically(run_ / "metrics.jsonl", "a\nx\ny\n").ok());
  EXPECT_THAT(Read(), ElementsAre("restart", "a", "x", "y"));
  std::filesystem::resize_file(run_ / "metrics.jsonl", 2);
  EXPECT_THAT(Read(), ElementsAre("restart", "a"));
}

TEST_F(LineFileTest, ReadsLinesOverManyChunks) {
  std::string text;
  for (int i = 0; i < 300'000; ++i) text += std::to_string(i) + "\n";
  text += std::string(3 << 20, 'x') + "\n";
  Append("metrics.jsonl", text);
  const std::vector<std::string> lines = Read();
  ASSERT_EQ(lines.size(), 300'002u);
  EXPECT_EQ(lines[300'000], "299999");
  EXPECT_EQ(lines[300'001].size(), 3u << 20);
}

TEST_F(LineFileTest, FollowsNoLink) {
  std::filesystem::create_symlink("/etc/passwd", run_ / "metrics.jsonl");
  EXPECT_TRUE(Read().empty());
  EXPECT_EQ(status_.code(), absl::StatusCode::kFailedPrecondition) << status_;
}

}  // namespace
}  // namespace ltml::view
