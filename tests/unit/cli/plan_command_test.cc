#include "cli/plan_command.h"

#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/dataset/import.h"
#include "common/image/image.h"
#include "common/sampling/streams.h"

namespace ltml::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kImages = 10;

class PlanTest : public ::testing::Test {
 protected:
  // Images "0.jpg" to "9.jpg"; number 3 is named with a quote.
  void SetUp() override {
    auto folder = base::PrivateFolder::Create("ltml-plan-test");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
    const auto bytes = image::EncodeJpeg({2, 2, std::vector<uint8_t>(12, 9)}, 90);
    std::ofstream list(folder_.path() / "list.jsonl");
    for (int i = 0; i < kImages; ++i) {
      const std::string name = i == 3 ? "quote\".jpg" : std::to_string(i) + ".jpg";
      std::ofstream(folder_.path() / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes->data()),
                 static_cast<std::streamsize>(bytes->size()));
      list << "{\"image\": \"" << (i == 3 ? "quote\\\".jpg" : name) << "\", \"labels\": [\""
           << (i < 8 ? "many" : "few") << "\"]}\n";
    }
    list.close();
    dataset::ImportOptions options;
    options.source = folder_.path() / "list.jsonl";
    options.destination = folder_.path() / "set";
    ASSERT_TRUE(dataset::Import(options).ok());
    train_ = *dataset::Dataset::Open(options.destination);
    job_.mutable_streams()->set_seed(7);
    job_.mutable_streams()->set_global_batch(5);
    job_.mutable_model()->set_branches(v1::Model::BRANCHES_BOTH);
  }

  std::vector<std::string> Plan(StepRange steps, int world_size) {
    std::vector<std::string> lines;
    const absl::Status status = PlanLines(job_, *train_, steps, world_size,
                                          [&](std::string_view line) { lines.emplace_back(line); });
    EXPECT_TRUE(status.ok()) << status;
    return lines;
  }

  // Images of (step, stream), the ranks' parts one after the other.
  std::map<std::pair<int, std::string>, std::vector<std::string>> Steps(int world_size) {
    std::map<std::pair<int, std::string>, std::vector<std::string>> steps;
    for (const std::string& line : Plan({0, 6}, world_size)) {
      google::protobuf::Struct message;
      EXPECT_TRUE(base::FromJson(line, "a line", &message).ok()) << line;
      auto& fields = *message.mutable_fields();
      auto& images =
          steps[{static_cast<int>(fields["step"].number_value()), fields["stream"].string_value()}];
      for (const auto& image : fields["images"].list_value().values()) {
        images.push_back(image.string_value());
      }
    }
    return steps;
  }

  v1::JobSpec job_;
  std::shared_ptr<const dataset::Dataset> train_;

 private:
  base::PrivateFolder folder_;
};

TEST_F(PlanTest, LinesAreInOrderOfStepStreamAndRank) {
  const std::vector<std::string> lines = Plan({4, 6}, 2);
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_THAT(lines[0], HasSubstr("{\"step\":4,\"stream\":\"uniform\",\"rank\":0,\"images\":[\""));
  EXPECT_THAT(lines[1], HasSubstr("{\"step\":4,\"stream\":\"uniform\",\"rank\":1,"));
  EXPECT_THAT(lines[2], HasSubstr("{\"step\":4,\"stream\":\"rebalanced\",\"rank\":0,"));
  EXPECT_THAT(lines[7], HasSubstr("{\"step\":5,\"stream\":\"rebalanced\",\"rank\":1,"));
}

TEST_F(PlanTest, AnyNumberOfRanksSharesTheSameSteps) {
  const auto expected = Steps(1);
  for (const int world_size : {2, 3, 4, 5}) EXPECT_EQ(Steps(world_size), expected) << world_size;
}

TEST_F(PlanTest, NamesAreThoseOfTheStreams) {
  const sampling::UniformStream uniform(7, kImages);
  std::vector<std::string> expected;
  for (int p = 5; p < 10; ++p) expected.emplace_back(train_->name(uniform.ImageAt(p)));
  EXPECT_EQ(Steps(2).at({1, "uniform"}), expected);
}

// Two steps of five are one epoch of ten images.
TEST_F(PlanTest, AnEpochOfTheUniformStreamHasEveryImageOnce) {
  const auto steps = Steps(3);
  std::set<std::string> seen;
  for (const int step : {0, 1}) {
    const auto& images = steps.at({step, "uniform"});
    seen.insert(images.begin(), images.end());
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kImages));
  EXPECT_EQ(seen.count("quote\".jpg"), 1u);
}

TEST_F(PlanTest, OneBranchHasOneStream) {
  job_.mutable_model()->set_branches(v1::Model::BRANCHES_REBALANCED);
  const std::vector<std::string> lines = Plan({0, 2}, 1);
  ASSERT_EQ(lines.size(), 2u);
  for (const std::string& line : lines) EXPECT_THAT(line, HasSubstr("\"stream\":\"rebalanced\""));
  job_.mutable_model()->set_branches(v1::Model::BRANCHES_UNIFORM);
  EXPECT_THAT(Plan({0, 1}, 1), ElementsAre(HasSubstr("\"stream\":\"uniform\"")));
}

TEST_F(PlanTest, RefusesMoreRanksThanImages) {
  const absl::Status status = PlanLines(job_, *train_, {0, 1}, 6, [](std::string_view) {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("6 ranks cannot share the 5 images"));
}

TEST(ParseStepRange, TakesRangesWithinTheJob) {
  const auto range = [](std::string_view text) {
    const auto parsed = ParseStepRange(text, 100);
    return parsed.ok() ? std::pair(parsed->begin, parsed->end)
                       : std::pair<int64_t, int64_t>(-1, -1);
  };
  EXPECT_EQ(range("0:2"), std::pair(int64_t{0}, int64_t{2}));
  EXPECT_EQ(range("7:"), std::pair(int64_t{7}, int64_t{100}));
  EXPECT_EQ(range(":9"), std::pair(int64_t{0}, int64_t{9}));
  EXPECT_EQ(range(""), std::pair(int64_t{0}, int64_t{100}));
  for (const char* bad : {"5", "2:2", "3:2", "0:101", "-1:2", "a:b", "1:2:3", "0x1:3"}) {
    EXPECT_EQ(range(bad).first, -1) << bad;
  }
}

}  // namespace
}  // namespace ltml::cli
