// tests/golden/statistics.json: sums equal, totals and compensation to 1e-12.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/statistics/statistics.h"

namespace ltml::statistics {
namespace {

using Json = simdjson::dom::element;

std::vector<double> Numbers(const Json& array) {
  std::vector<double> numbers;
  for (const auto element : array.get_array()) numbers.push_back(double(element));
  return numbers;
}

std::vector<double> FlatMatrix(const Json& rows) {
  std::vector<double> flat;
  for (const auto row : rows.get_array()) {
    const std::vector<double> numbers = Numbers(row);
    flat.insert(flat.end(), numbers.begin(), numbers.end());
  }
  return flat;
}

IntegerMoments MomentsOf(const Json& rows) {
  IntegerMoments moments;
  for (const Json row : rows.get_array()) {
    moments.n.push_back(int64_t(row.at(0)));
    moments.sum_q.push_back(int64_t(row.at(1)));
    moments.sum_q2.push_back(int64_t(row.at(2)));
  }
  return moments;
}

void ExpectClose(double got, double expected) {
  EXPECT_NEAR(got, expected, 1e-12 * std::max(1.0, std::abs(expected)));
}

void ExpectClose(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k) ExpectClose(got[k], expected[k]);
}

void ExpectTotals(const Totals& got, const Json& rows) {
  size_t k = 0;
  for (const Json row : rows.get_array()) {
    ExpectClose(got.count[k], double(row.at(0)));
    ExpectClose(got.mean[k], double(row.at(1)));
    ExpectClose(got.m2[k], double(row.at(2)));
    ++k;
  }
  EXPECT_EQ(k, got.count.size());
}

class Golden : public testing::TestWithParam<Branch> {
 protected:
  void SetUp() override {
    root_ = parser_.load(LTML_SOURCE_DIR "/tests/golden/statistics.json");
    classes_ = static_cast<int>(int64_t(root_["classes"]));
  }

  // The sums of one window over all ranks; checks each rank's on the way.
  WindowSums WindowOf(int64_t window) {
    WindowSums all(classes_);
    for (const Json sample : root_["samples"].get_array()) {
      if (int64_t(sample["window"]) != window) continue;
      WindowSums rank(classes_);
      rank.Add(GetParam(), FlatMatrix(sample["logits"]), FlatMatrix(sample["labels"]));
      EXPECT_EQ(rank.at(GetParam(), kPositive), MomentsOf(sample["sums"]["pos"]));
      EXPECT_EQ(rank.at(GetParam(), kNegative), MomentsOf(sample["sums"]["neg"]));
      all.Merge(rank);
    }
    return all;
  }

  void ExpectCompensation(const Compensation& got, const Json& expected) {
    ExpectClose(got.at(GetParam(), kPositive).sigma, Numbers(expected["sigma"]["pos"]));
    ExpectClose(got.at(GetParam(), kNegative).sigma, Numbers(expected["sigma"]["neg"]));
    ExpectClose(got.at(GetParam(), kPositive).mu, Numbers(expected["mu"]["pos"]));
    ExpectClose(got.at(GetParam(), kNegative).mu, Numbers(expected["mu"]["neg"]));
  }

  simdjson::dom::parser parser_;
  Json root_;
  int classes_ = 0;
};

TEST_P(Golden, EveryPublishedVersion) {
  const double beta = double(root_["beta"]), prior = double(root_["prior_count"]);
  DecayedTotals totals(classes_);
  int64_t versions = 0;
  for (const Json published : root_["published"].get_array()) {
    SCOPED_TRACE("version " + std::to_string(versions));
    const WindowSums window = WindowOf(versions++);
    EXPECT_EQ(window.at(GetParam(), kPositive), MomentsOf(published["window_sums"]["pos"]));
    EXPECT_EQ(window.at(GetParam(), kNegative), MomentsOf(published["window_sums"]["neg"]));
    totals.Fold(window, beta);
    ExpectTotals(totals.at(GetParam(), kPositive), published["totals"]["pos"]);
    ExpectTotals(totals.at(GetParam(), kNegative), published["totals"]["neg"]);
    ExpectCompensation(Compensate(totals, prior, Form::kAbsolute), published);
    ExpectCompensation(Compensate(totals, prior, Form::kRelative), published["relative"]);
  }
  EXPECT_EQ(versions, 6);
}

INSTANTIATE_TEST_SUITE_P(Branches, Golden, testing::ValuesIn(kBranches));

}  // namespace
}  // namespace ltml::statistics
