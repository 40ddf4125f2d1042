#include "worker/train/evaluate.h"

#include <optional>

#include "tests/unit/train/fixture.h"

namespace ltml::train {
namespace {

constexpr int kClasses = 3;
constexpr int64_t kImages = 22;  // 6 batches of 4, the last one half empty

class FormulaEvaluation : public EvaluationSource {
 public:
  int64_t images() const override { return kImages; }
  int64_t batch() const override { return 4; }
  absl::StatusOr<const EvaluationBatch*> Load(int64_t number, std::chrono::nanoseconds) override {
    if (number == broken) return absl::InvalidArgumentError("image broken.jpg: truncated");
    batch_.first_image = number * 4;
    batch_.images = std::min<int64_t>(4, kImages - number * 4);
    batch_.pixels_B3HW.clear();
    batch_.pixels_B3HW.resize(4 * 3 * 32 * 32);
    for (int64_t i = 0; i < batch_.images; ++i) {
      const auto x = Unit("e/" + std::to_string(batch_.first_image + i), 3 * 32 * 32);
      std::copy(x.begin(), x.end(), batch_.pixels_B3HW.begin() + i * 3 * 32 * 32);
    }
    return &batch_;
  }
  const std::vector<uint8_t>& labels_NK() const override { return labels_; }

  int64_t broken = -1;

 private:
  EvaluationBatch batch_;
  std::vector<uint8_t> labels_ = std::vector<uint8_t>(kImages * kClasses);
};

std::unique_ptr<model::Network> MakeNetwork() {
  return model::Network::Create(SmallNetwork(kClasses, at::kFloat), 5).value();
}

// One result a rank.
std::vector<absl::StatusOr<std::vector<float>>> ScoreOn(int world_size, bool flip, int64_t broken,
                                                        int stop_at) {
  std::vector<absl::StatusOr<std::vector<float>>> results(world_size, absl::UnknownError(""));
  RunRanks(world_size, [&](Collective& collective) {
    const auto network = MakeNetwork();
    FormulaEvaluation source;
    source.broken = broken;
    RecordingMonitor monitor;
    monitor.command_at = collective.rank() == 0 ? stop_at : -1;
    monitor.command = Command::kStop;
    results[collective.rank()] =
        Score(*network, source, kClasses, flip, collective, monitor, kLimit, 0);
  });
  return results;
}

TEST(Score, HasTheSameBitsOnAnyNumberOfRanks) {
  for (const bool flip : {false, true}) {
    const std::vector<float> one = ScoreOn(1, flip, -1, -1)[0].value();
    ASSERT_EQ(one.size(), static_cast<size_t>(kImages * kClasses));
    for (const float p : one) EXPECT_TRUE(p > 0 && p < 1) << p;
    EXPECT_NE(one[0], one[kClasses]);
    for (const int world_size : {2, 3}) {
      for (const auto& result : ScoreOn(world_size, flip, -1, -1)) EXPECT_EQ(result.value(), one);
    }
  }
}

TEST(Score, FlipIsTheMeanOfBothSides) {
  EXPECT_NE(ScoreOn(1, false, -1, -1)[0].value(), ScoreOn(1, true, -1, -1)[0].value());
}

TEST(Score, ABrokenBatchEndsAllRanks) {
  const auto results = ScoreOn(3, false, 4, -1);  // batch 4 is rank 1's
  EXPECT_EQ(results[1].status().code(), absl::StatusCode::kInvalidArgument);
  for (const int rank : {0, 2}) {
    EXPECT_EQ(results[rank].status().code(), absl::StatusCode::kAborted);
    EXPECT_NE(std::string(results[rank].status().message()).find("rank 1"), std::string::npos);
  }
}

TEST(Score, AStopEndsAllRanksAlike) {
  for (const auto& result : ScoreOn(3, false, -1, 2)) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  }
}

}  // namespace
}  // namespace ltml::train
