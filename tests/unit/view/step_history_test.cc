#include "common/view/step_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "common/base/proto_json.h"
#include "common/view/step_line.h"

namespace ltml::view {
namespace {

v1::StepMetrics Step(int64_t step, double loss) {
  v1::StepMetrics metrics;
  metrics.set_step(step);
  metrics.set_loss(loss);
  metrics.set_images_per_second(2 * loss);
  return metrics;
}

TEST(StepHistory, KeepsShortRunsAsTheyAre) {
  StepHistory history;
  for (int i = 1; i <= 600; ++i) history.Add(Step(i, i));
  const auto steps = history.steps();
  ASSERT_EQ(steps.size(), 600u);
  for (int i = 0; i < 600; ++i) EXPECT_EQ(steps[i].loss(), i + 1);
  history.Clear();
  EXPECT_TRUE(history.steps().empty());
}

// Every mean is over as many neighbours, so the mean of means stays the mean of all where the
// number of lines comes out even.
TEST(StepHistory, MeansOfNeighboursInBoundedMemory) {
  StepHistory history;
  for (int i = 1; i <= 4800; ++i) {
    history.Add(Step(10 * i, i));
    EXPECT_LE(history.steps().size(), StepHistory::kMost);
  }
  const auto steps = history.steps();
  ASSERT_EQ(steps.size(), 600u);
  EXPECT_EQ(steps[0].step(), 80) << "the last of its lines";
  EXPECT_EQ(steps[0].loss(), 4.5);
  EXPECT_EQ(steps[0].images_per_second(), 9);
  EXPECT_EQ(steps.back().step(), 48000);
  const double sum =
      std::accumulate(steps.begin(), steps.end(), 0.0,
                      [](double all, const v1::StepMetrics& step) { return all + step.loss(); });
  EXPECT_DOUBLE_EQ(sum / 600, 4801 / 2.0);
  history.Add(Step(48010, 7));
  EXPECT_EQ(history.steps().back().loss(), 7) << "a mean that is not full yet";
}

TEST(StepLine, ReadsWhatProtobufWrites) {
  StepLineParser parser;
  for (const double value :
       {0.0, -1.5, 1e-300, 1.7976931348623157e308, 0.1, std::numeric_limits<double>::infinity()}) {
    v1::StepMetrics metrics;
    metrics.set_step(int64_t{1} << 40);
    metrics.set_loss(value);
    metrics.set_classification_uniform(value);
    metrics.set_classification_rebalanced(1 - value);
    metrics.set_consistency(value);
    metrics.set_learning_rate(value);
    metrics.set_images_per_second(value);
    metrics.set_data_wait_ratio(value);
    metrics.set_grant_wait_seconds(value);
    const auto read = parser.Parse(*base::ToJson(metrics, true));
    ASSERT_TRUE(read.has_value()) << value;
    EXPECT_EQ(read->SerializeAsString(), metrics.SerializeAsString()) << value;
  }
  v1::StepMetrics nan = Step(3, std::nan(""));
  EXPECT_TRUE(std::isnan(parser.Parse(*base::ToJson(nan, true))->loss()));
}

TEST(StepLine, RefusesWhatIsNone) {
  StepLineParser parser;
  for (const char* line : {"", "{", "[]", "{}", "{\"step\":7}", "{\"step\":\"x\"}",
                           "{\"step\":\"7\",\"loss\":\"high\"}", "{\"step\":\"7\",\"loss\":[1]}"}) {
    EXPECT_FALSE(parser.Parse(line).has_value()) << line;
  }
  EXPECT_TRUE(parser.Parse("{\"step\":\"7\",\"new_field\":1}").has_value());
}

}  // namespace
}  // namespace ltml::view
