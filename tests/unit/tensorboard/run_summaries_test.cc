#include "common/tensorboard/run_summaries.h"

#include <gmock/gmock.h>

#include <map>
#include <optional>

#include "common/tensorboard/summary.h"

namespace ltml::tensorboard {
namespace {

using testing::ElementsAre;
using testing::Key;
using testing::UnorderedElementsAre;

std::map<std::string, Summary::Value> ByTag(const Summary& summary) {
  std::map<std::string, Summary::Value> values;
  for (const Summary::Value& value : summary.value()) {
    EXPECT_TRUE(values.emplace(value.tag(), value).second) << value.tag() << " twice";
  }
  return values;
}

TEST(Summary, SharesFallIntoBucketsOfAnEqualWidth) {
  Summary summary;
  AddShares("ap", std::vector<double>{0, 0.049, 0.05, 1}, summary);
  const Histogram& histogram = summary.value(0).histo();
  EXPECT_EQ(histogram.bucket_limit_size(), 20);
  EXPECT_DOUBLE_EQ(histogram.bucket_limit(0), 0.05);
  EXPECT_DOUBLE_EQ(histogram.bucket_limit(19), 1);
  EXPECT_EQ(histogram.bucket(0), 2);
  EXPECT_EQ(histogram.bucket(1), 1);
  EXPECT_EQ(histogram.bucket(19), 1);
  EXPECT_EQ(histogram.num(), 4);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 1);
  EXPECT_DOUBLE_EQ(histogram.sum(), 1.099);
  EXPECT_DOUBLE_EQ(histogram.sum_squares(), 1.004901);
}

TEST(Summary, NoSharesAreNoHistogram) {
  Summary summary;
  AddShares("ap", {}, summary);
  EXPECT_EQ(summary.value_size(), 0);
}

// 4 positives and 5 negatives: 4 and 5 reach the first threshold, 3 and 1 the second, none the
// last.
TEST(Summary, CurvesAreSixRows) {
  const metrics::ThresholdCounts counts{
      .true_positives = {4, 3, 0}, .false_positives = {5, 1, 0}, .positives = 4, .negatives = 5};
  Summary summary;
  AddPrCurve("pr", counts, summary);
  const Summary::Value& value = summary.value(0);
  EXPECT_EQ(value.metadata().plugin_data().plugin_name(), "pr_curves");
  PrCurveContent content;
  ASSERT_TRUE(content.ParseFromString(value.metadata().plugin_data().content()));
  EXPECT_EQ(content.num_thresholds(), 3u);
  EXPECT_EQ(value.tensor().tensor_shape().dim(0).size(), 6);
  EXPECT_EQ(value.tensor().tensor_shape().dim(1).size(), 3);
  EXPECT_THAT(value.tensor().float_val(), ElementsAre(4, 3, 0,                //
                                                      5, 1, 0,                //
                                                      0, 4, 5,                //
                                                      0, 1, 4,                //
                                                      4.0f / 9, 3.0f / 4, 0,  //
                                                      1, 3.0f / 4, 0));
}

TEST(RunSummaries, AStepHasItsLossPartsAndRates) {
  v1::StepMetrics step;
  step.set_loss(1);
  step.set_classification_uniform(2);
  step.set_classification_rebalanced(3);
  step.set_consistency(4);
  step.set_learning_rate(5);
  step.set_images_per_second(6);
  step.set_data_wait_ratio(7);
  step.set_grant_wait_seconds(8);
  std::vector<float> values;
  for (const auto& [tag, value] : ByTag(StepSummary(step))) values.push_back(value.simple_value());
  // In the order of tags: images_per_second, learning_rate, loss/consistency, /rebalanced, /total,
  // /uniform, wait/data_ratio, /grant_seconds.
  EXPECT_THAT(values, ElementsAre(6, 5, 4, 3, 1, 2, 7, 8));
}

// Classes: sky is head, cow tail and its name hostile, gnu tail without positives to evaluate.
class ValidationTest : public testing::Test {
 protected:
  ValidationTest() {
    evaluation_.average_precision = {0.75, 0.25, std::nullopt};
    evaluation_.mean = metrics::MeanAveragePrecision(evaluation_.average_precision, train_counts_);
  }
  std::map<std::string, Summary::Value> Values() const {
    return ByTag(ValidationSummary({.evaluation = evaluation_,
                                    .class_names = names_,
                                    .train_counts = train_counts_,
                                    .counts = counts_,
                                    .curves = curves_}));
  }
  metrics::Evaluation evaluation_;
  std::vector<std::string> names_ = {"sky", "cow\n", "gnu"};
  std::vector<int64_t> train_counts_ = {500, 3, 1};
  std::vector<int> curves_ = {1, 2};
  std::vector<metrics::ThresholdCounts> counts_ = {
      {{6, 1}, {2, 0}, 6, 2}, {{1, 0}, {7, 3}, 1, 7}, {{0, 0}, {8, 8}, 0, 8}};
};

TEST_F(ValidationTest, TellsOfGroupsAndClassesThatCouldBeEvaluated) {
  EXPECT_THAT(
      Values(),
      UnorderedElementsAre(Key("mean_average_precision/total"), Key("mean_average_precision/head"),
                           Key("mean_average_precision/tail"), Key("class_average_precision/total"),
                           Key("class_average_precision/head"), Key("class_average_precision/tail"),
                           Key("precision_recall/total"), Key("precision_recall/head"),
                           Key("precision_recall/tail"), Key("class_precision_recall/cow\\x0a")));
}

TEST_F(ValidationTest, GroupsAreMeansSpreadsAndPooledCounts) {
  auto values = Values();
  EXPECT_EQ(values["mean_average_precision/total"].simple_value(), 0.5f);
  EXPECT_EQ(values["mean_average_precision/tail"].simple_value(), 0.25f);
  EXPECT_EQ(values["class_average_precision/total"].histo().num(), 2);
  EXPECT_EQ(values["class_average_precision/head"].histo().bucket(15), 1);
  // True positives of sky and cow, then their false positives; gnu could not be evaluated.
  const auto& pooled = values["precision_recall/total"].tensor().float_val();
  EXPECT_THAT(std::vector<float>(pooled.begin(), pooled.begin() + 4), ElementsAre(7, 1, 9, 3));
}

}  // namespace
}  // namespace ltml::tensorboard
