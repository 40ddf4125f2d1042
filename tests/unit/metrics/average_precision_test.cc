#include "common/metrics/average_precision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ltml::metrics {
namespace {

using testing::HasSubstr;
using Json = simdjson::dom::element;

constexpr double kTolerance = 1e-12;

template <typename Number>
std::vector<Number> Numbers(const Json& array) {
  std::vector<Number> numbers;
  for (const auto element : array.get_array()) {
    numbers.push_back(static_cast<Number>(double(element)));
  }
  return numbers;
}

template <typename Number>
std::vector<Number> FlatMatrix(const Json& rows) {
  std::vector<Number> flat;
  for (const auto row : rows.get_array()) {
    const std::vector<Number> numbers = Numbers<Number>(row);
    flat.insert(flat.end(), numbers.begin(), numbers.end());
  }
  return flat;
}

void ExpectValue(const std::optional<double>& got, const Json& expected) {
  if (expected.is_null()) {
    EXPECT_FALSE(got.has_value());
    return;
  }
  ASSERT_TRUE(got.has_value());
  EXPECT_NEAR(*got, double(expected), kTolerance);
}

class Golden : public testing::Test {
 protected:
  void SetUp() override {
    root_ = parser_.load(LTML_SOURCE_DIR "/tests/golden/average_precision.json");
  }
  simdjson::dom::parser parser_;
  Json root_;
};

TEST_F(Golden, SingleCases) {
  int cases = 0;
  for (const Json one : root_["cases"].get_array()) {
    SCOPED_TRACE(std::string(std::string_view(one["name"])));
    const auto got =
        AveragePrecision(Numbers<double>(one["scores"]), Numbers<uint8_t>(one["labels"]));
    ASSERT_TRUE(got.ok());
    ExpectValue(*got, one["average_precision"]);
    ++cases;
  }
  EXPECT_EQ(cases, 17);
}

TEST_F(Golden, MatrixWithGroups) {
  const Json matrix = root_["matrix"];
  const auto counts = Numbers<int64_t>(matrix["train_counts"]);
  const auto got =
      Evaluate(FlatMatrix<float>(matrix["scores"]), FlatMatrix<uint8_t>(matrix["labels"]),
               static_cast<int>(counts.size()), counts);
  ASSERT_TRUE(got.ok()) << got.status();
  size_t k = 0;
  for (const Json expected : matrix["average_precision"].get_array()) {
    ExpectValue(got->average_precision[k++], expected);
  }
  EXPECT_EQ(k, got->average_precision.size());
  const Json groups = matrix["groups"];
  ExpectValue(got->mean.total, groups["total"]["map"]);
  ExpectValue(got->mean.head, groups["head"]["map"]);
  ExpectValue(got->mean.medium, groups["medium"]["map"]);
  ExpectValue(got->mean.tail, groups["tail"]["map"]);
}

TEST_F(Golden, MembersOfGroups) {
  const Json matrix = root_["matrix"];
  const auto counts = Numbers<int64_t>(matrix["train_counts"]);
  for (const Group group : {Group::kHead, Group::kMedium, Group::kTail}) {
    std::vector<int64_t> members;
    for (size_t k = 0; k < counts.size(); ++k) {
      if (GroupOf(counts[k]) == group) members.push_back(static_cast<int64_t>(k));
    }
    EXPECT_EQ(members, Numbers<int64_t>(matrix["groups"][GroupName(group)]["classes"]));
  }
}

// Scores 3 2 2 1 with labels 1 0 1 1: 1/3 * 1/1, then the tied pair 1/3 * 2/3, then 1/3 * 3/4.
TEST(AveragePrecision, ByHandWithATie) {
  const auto got =
      AveragePrecision(std::vector<float>{3, 2, 2, 1}, std::vector<uint8_t>{1, 0, 1, 1});
  ASSERT_TRUE(got.ok());
  EXPECT_NEAR(**got, (1.0 + 2.0 / 3 + 3.0 / 4) / 3, 1e-15);
}

// The order of the images does not matter, to the last bit: ranks may bring them in any order.
TEST(AveragePrecision, AnyOrderOfImagesGivesTheSameBits) {
  std::mt19937 random(4);
  std::vector<float> scores(500);
  std::vector<uint8_t> labels(500);
  for (size_t i = 0; i < scores.size(); ++i) {
    scores[i] = static_cast<float>(random() % 60);
    labels[i] = random() % 6 == 0 ? 1 : 0;
  }
  const double expected = **AveragePrecision(scores, labels);
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  for (int trial = 0; trial < 20; ++trial) {
    std::shuffle(order.begin(), order.end(), random);
    std::vector<float> shuffled_scores;
    std::vector<uint8_t> shuffled_labels;
    for (const size_t i : order) {
      shuffled_scores.push_back(scores[i]);
      shuffled_labels.push_back(labels[i]);
    }
    EXPECT_EQ(**AveragePrecision(shuffled_scores, shuffled_labels), expected);
  }
}

TEST(AveragePrecision, InfiniteScoresRankFirstAndLast) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto got =
      AveragePrecision(std::vector<float>{-kInfinity, kInfinity, 0}, std::vector<uint8_t>{0, 1, 0});
  EXPECT_EQ(**got, 1.0);
}

TEST(AveragePrecision, NothingAtAllHasNoValue) {
  const auto got = AveragePrecision(std::vector<float>{}, std::vector<uint8_t>{});
  ASSERT_TRUE(got.ok());
  EXPECT_FALSE(got->has_value());
}

TEST(AveragePrecision, NanNamesItsIndex) {
  const auto got =
      AveragePrecision(std::vector<double>{0.5, 0.25, NAN}, std::vector<uint8_t>{0, 1, 0});
  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(got.status().message()), HasSubstr("index 2 is NaN"));
}

TEST(AveragePrecision, SizesMustAgree) {
  const auto got = AveragePrecision(std::vector<float>{0.5f}, std::vector<uint8_t>{0, 1});
  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(got.status().message()), HasSubstr("1 scores but 2 labels"));
}

TEST(Groups, BordersAreAt100And20) {
  EXPECT_EQ(GroupOf(100), Group::kHead);
  EXPECT_EQ(GroupOf(99), Group::kMedium);
  EXPECT_EQ(GroupOf(20), Group::kMedium);
  EXPECT_EQ(GroupOf(19), Group::kTail);
  EXPECT_EQ(GroupOf(0), Group::kTail);
}

TEST(Groups, ClassesWithoutAValueAreNotCounted) {
  const std::vector<std::optional<double>> values = {0.5, std::nullopt, 0.25};
  const GroupMeans means = MeanAveragePrecision(values, std::vector<int64_t>{200, 150, 50});
  EXPECT_EQ(means.total, 0.375);
  EXPECT_EQ(means.head, 0.5);
  EXPECT_EQ(means.medium, 0.25);
  EXPECT_EQ(means.tail, std::nullopt);
}

// 4 images, 2 classes with 1 and 2 positives: chance 1/4 and 2/4.
TEST(Evaluate, PositivesAndChance) {
  const std::vector<float> scores = {4, 1, 3, 2, 2, 3, 1, 4};
  const std::vector<uint8_t> labels = {1, 0, 0, 0, 0, 1, 0, 1};
  const auto got = Evaluate(scores, labels, 2, std::vector<int64_t>{500, 5});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->positives, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(got->chance.total, 0.375);
  EXPECT_EQ(got->chance.head, 0.25);
  EXPECT_EQ(got->chance.medium, std::nullopt);
  EXPECT_EQ(got->chance.tail, 0.5);
  EXPECT_EQ(got->mean.total, 1.0);
}

// What average precision is by definition: sort by falling score, group ties.
double ByDefinition(const std::vector<float>& scores, const std::vector<uint8_t>& labels) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  const auto positives = static_cast<double>(std::accumulate(labels.begin(), labels.end(), 0));
  double sum = 0, found = 0;
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    double gained = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) {
      gained += labels[order[end]];
    }
    found += gained;
    sum += gained / positives * (found / static_cast<double>(end));
  }
  return sum;
}

// Few and many images; scores of both signs, both zeros, infinities, ties, one digit shared by all.
TEST(Evaluate, IsTheDefinitionToTheBitOnAnyNumberOfThreads) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kOdd[] = {0.0f, -0.0f, kInfinity, -kInfinity, 1e-42f, -1e-42f};
  std::mt19937 random(8);
  for (const size_t images : {3, 1000, 5000}) {
    const int classes = 37;
    std::vector<float> scores(images * classes);
    std::vector<uint8_t> labels(images * classes);
    for (size_t i = 0; i < scores.size(); ++i) {
      const float value = static_cast<float>(static_cast<int32_t>(random())) * 0x1p-20f;
      const int kind = static_cast<int>(i % classes);
      scores[i] = kind == 0   ? 1.0f + 1e-3f * std::abs(value) / 2048
                  : kind == 1 ? std::floor(value / 99)
                              : value;
      if (random() % 50 == 0) scores[i] = kOdd[random() % 6];
      labels[i] = random() % (kind + 2) == 0 ? 1 : 0;
    }
    const std::vector<int64_t> counts(classes, 1);
    const auto one = Evaluate(scores, labels, classes, counts, 1);
    ASSERT_TRUE(one.ok()) << one.status();
    for (int k = 0; k < classes; ++k) {
      std::vector<float> column;
      std::vector<uint8_t> column_labels;
      for (size_t i = k; i < scores.size(); i += classes) {
        column.push_back(scores[i]);
        column_labels.push_back(labels[i]);
      }
      ASSERT_EQ(one->average_precision[k].has_value(), one->positives[k] > 0);
      if (one->positives[k] == 0) continue;
      EXPECT_EQ(*one->average_precision[k], ByDefinition(column, column_labels)) << k;
      EXPECT_EQ(
          **AveragePrecision(std::vector<double>(column.begin(), column.end()), column_labels),
          *one->average_precision[k]);
    }
    for (const int threads : {2, 3, 8}) {
      const auto many = Evaluate(scores, labels, classes, counts, threads);
      EXPECT_EQ(many->average_precision, one->average_precision);
      EXPECT_EQ(many->positives, one->positives);
      EXPECT_EQ(many->mean.total, one->mean.total);
    }
  }
}

TEST(Evaluate, NamesTheFirstNanOnAnyNumberOfThreads) {
  std::vector<float> scores(40 * 50, 0.5f);
  scores[50 * 7 + 49] = scores[50 * 9 + 1] = scores[50 * 20 + 49] = NAN;
  for (const int threads : {1, 3}) {
    const auto got =
        Evaluate(scores, std::vector<uint8_t>(40 * 50), 50, std::vector<int64_t>(50), threads);
    EXPECT_THAT(std::string(got.status().message()), HasSubstr("(image 7, class 49) is NaN"));
  }
}

TEST(Evaluate, NanNamesImageAndClass) {
  const std::vector<float> scores = {0, 0, 0, NAN};
  const auto got =
      Evaluate(scores, std::vector<uint8_t>{1, 0, 0, 1}, 2, std::vector<int64_t>{1, 1});
  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(got.status().message()), HasSubstr("index 3 (image 1, class 1) is NaN"));
}

TEST(Evaluate, ShapesMustAgree) {
  const std::vector<float> scores(6);
  const std::vector<uint8_t> labels(6);
  const std::vector<int64_t> counts(4);
  EXPECT_FALSE(Evaluate(scores, labels, 4, counts).ok());
  EXPECT_FALSE(Evaluate(scores, labels, 3, counts).ok());
  EXPECT_FALSE(Evaluate(scores, std::vector<uint8_t>(3), 3, std::vector<int64_t>(3)).ok());
  EXPECT_FALSE(Evaluate(scores, labels, 0, {}).ok());
  EXPECT_TRUE(Evaluate(scores, labels, 3, std::vector<int64_t>(3)).ok());
}

}  // namespace
}  // namespace ltml::metrics
