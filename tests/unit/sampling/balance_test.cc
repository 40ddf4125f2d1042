// Balanced draws against what they must converge to: tests/golden/sampling.json.
//
// The label lists behind the golden values may not be passed on, so the sets here are synthetic
// with the same counts.  Who has the lists (voc-lt.train.jsonl, coco-lt.train.jsonl and the
// *.classes.json beside them) sets LTML_BENCHMARK_LABELS to their folder for the last test.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "common/sampling/streams.h"
#include "tests/unit/sampling/chi_square.h"

namespace ltml::sampling {
namespace {

using LabelRows = std::vector<std::vector<int32_t>>;

struct GoldenSet {
  std::string name;
  int64_t images;
  std::vector<int64_t> train_counts;
  std::vector<double> balanced_rho;
  double labels_per_draw;
  double least_chance, most_chance, sum_of_squares;
  std::vector<double> first_chances;
};

template <typename Number>
std::vector<Number> Numbers(const simdjson::dom::element& array) {
  std::vector<Number> numbers;
  for (const auto element : array.get_array()) {
    numbers.push_back(static_cast<Number>(double(element)));
  }
  return numbers;
}

std::vector<GoldenSet> GoldenSets() {
  simdjson::dom::parser parser;
  std::vector<GoldenSet> sets;
  const simdjson::dom::element root = parser.load(LTML_SOURCE_DIR "/tests/golden/sampling.json");
  for (const simdjson::dom::element set : root["sets"].get_array()) {
    const simdjson::dom::element chance = set["balanced_chance"];
    sets.push_back({std::string(std::string_view(set["name"])), int64_t(set["images"]),
                    Numbers<int64_t>(set["train_counts"]), Numbers<double>(set["balanced_rho"]),
                    double(set["balanced_labels_per_image"]), double(chance["min"]),
                    double(chance["max"]), double(chance["sum_of_squares"]),
                    Numbers<double>(chance["first_10"])});
  }
  return sets;
}

ClassLists ListsOf(const LabelRows& rows, int classes) {
  return MakeClassLists(
      static_cast<int64_t>(rows.size()),
      classes, [&](int64_t image) -> const auto& { return rows[image]; });
}

// Class k on N_k of the set's images, at evenly spread places with an offset of its own.
LabelRows SpreadLabels(const GoldenSet& set) {
  LabelRows rows(set.images);
  for (size_t k = 0; k < set.train_counts.size(); ++k) {
    for (int64_t i = 0; i < set.train_counts[k]; ++i) {
      const int64_t place = i * set.images / set.train_counts[k] + 37 * static_cast<int64_t>(k);
      rows[place % set.images].push_back(static_cast<int32_t>(k));
    }
  }
  return rows;
}

// P(image) = sum over its labels of 1 / (K N_k).
std::vector<double> Chances(const LabelRows& rows, const ClassLists& lists) {
  std::vector<double> chances(rows.size());
  for (size_t image = 0; image < rows.size(); ++image) {
    for (const int32_t k : rows[image]) {
      chances[image] += 1.0 / (lists.view().classes() * static_cast<double>(lists.view().count(k)));
    }
  }
  return chances;
}

// Counts of images over `draws` independent draws: one position of each of many seeds.
std::vector<int64_t> DrawWithManySeeds(const ClassLists& lists, int64_t images, int64_t draws) {
  std::vector<int64_t> counts(images);
  for (int64_t seed = 0; seed < draws; ++seed) {
    ++counts[RebalancedStream::Create(static_cast<uint64_t>(seed), lists)
                 ->ImageAt(12'345 + seed % 7)];
  }
  return counts;
}

void ExpectChances(const LabelRows& rows, const ClassLists& lists, int64_t draws) {
  const std::vector<int64_t> counts =
      DrawWithManySeeds(lists, static_cast<int64_t>(rows.size()), draws);
  std::vector<double> expected = Chances(rows, lists);
  for (double& chance : expected) chance *= static_cast<double>(draws);
  EXPECT_LT(ChiSquareDeviate(counts, expected), kDeviateLimit);
}

// Independent draws, chi-square over images: failure probability below 1e-8 a set.
TEST(Balance, DrawsOfManySeedsHaveTheChancesOfTheMethod) {
  for (const GoldenSet& set : GoldenSets()) {
    SCOPED_TRACE(set.name);
    const LabelRows rows = SpreadLabels(set);
    const ClassLists lists = ListsOf(rows, static_cast<int>(set.train_counts.size()));
    for (size_t k = 0; k < set.train_counts.size(); ++k) {
      ASSERT_EQ(lists.view().count(static_cast<int>(k)), set.train_counts[k]);
    }
    ExpectChances(rows, lists, 100'000);
  }
}

// Within one stream the draws are stratified, so counts are closer than chance: after M rounds each
// class was drawn M times and an image floor or ceil(M / N_k) times for each of its labels.  A
// class alone on an image gives the least chance there can be, 1 / (K max N_k), which the golden
// sets reach.
TEST(Balance, OneStreamKeepsEveryImageWithinOneDrawALabel) {
  constexpr int64_t kRounds = 5000;
  for (const GoldenSet& set : GoldenSets()) {
    SCOPED_TRACE(set.name);
    const LabelRows rows = SpreadLabels(set);
    const int classes = static_cast<int>(set.train_counts.size());
    const ClassLists lists = ListsOf(rows, classes);
    const int64_t most = *std::max_element(set.train_counts.begin(), set.train_counts.end());
    EXPECT_NEAR(set.least_chance, 1.0 / (classes * static_cast<double>(most)), 1e-15);
    const auto stream = RebalancedStream::Create(77, lists);
    std::vector<int64_t> draws(kRounds * classes);
    stream->ImagesAt(0, draws);
    std::vector<int64_t> counts(rows.size());
    for (const int64_t image : draws) ++counts[image];
    const std::vector<double> chances = Chances(rows, lists);
    for (size_t image = 0; image < rows.size(); ++image) {
      const double expected = chances[image] * static_cast<double>(draws.size());
      EXPECT_LE(std::abs(static_cast<double>(counts[image]) - expected),
                static_cast<double>(rows[image].size()) + 1e-9);
    }
  }
}

LabelRows ReadLabels(const std::string& stem) {
  simdjson::dom::parser parser;
  std::map<std::string, int32_t, std::less<>> index;
  const simdjson::dom::element table = parser.load(stem + ".train.classes.json");
  for (const auto name : table["classes"].get_array()) {
    const auto next = static_cast<int32_t>(index.size());
    index.emplace(std::string_view(name), next);
  }
  LabelRows rows;
  std::ifstream lines(stem + ".train.jsonl");
  for (std::string line; std::getline(lines, line);) {
    rows.emplace_back();
    const simdjson::dom::element record = parser.parse(line);
    for (const auto label : record["labels"].get_array()) {
      rows.back().push_back(index.find(std::string_view(label))->second);
    }
  }
  return rows;
}

// Shares of draws that carry a class are binomial: within 6 standard deviations, probability 2e-9
// for each of 100 classes to fail.
void ExpectShares(const GoldenSet& set, const LabelRows& rows, const std::vector<int64_t>& counts) {
  std::vector<int64_t> carried(set.train_counts.size());
  int64_t draws = 0;
  for (size_t image = 0; image < rows.size(); ++image) {
    draws += counts[image];
    for (const int32_t k : rows[image]) carried[k] += counts[image];
  }
  for (size_t k = 0; k < carried.size(); ++k) {
    const double rho = set.balanced_rho[k];
    const double deviation = std::sqrt(static_cast<double>(draws) * rho * (1 - rho));
    EXPECT_NEAR(static_cast<double>(carried[k]), rho * static_cast<double>(draws), 6 * deviation)
        << "class " << k;
  }
}

TEST(Balance, BenchmarkSetsReachTheGoldenShares) {
  const char* folder = std::getenv("LTML_BENCHMARK_LABELS");
  if (folder == nullptr) {
    GTEST_SKIP() << "LTML_BENCHMARK_LABELS is not set: the benchmark's labels may not be passed on";
  }
  for (const GoldenSet& set : GoldenSets()) {
    SCOPED_TRACE(set.name);
    const LabelRows rows = ReadLabels(std::string(folder) + "/" + set.name);
    const ClassLists lists = ListsOf(rows, static_cast<int>(set.train_counts.size()));
    const std::vector<double> chances = Chances(rows, lists);
    EXPECT_NEAR(*std::max_element(chances.begin(), chances.end()), set.most_chance, 1e-15);
    double squares = 0;
    for (const double chance : chances) squares += chance * chance;
    EXPECT_NEAR(squares, set.sum_of_squares, 1e-14);
    for (size_t i = 0; i < set.first_chances.size(); ++i) {
      EXPECT_NEAR(chances[i], set.first_chances[i], 1e-15);
    }
    ExpectChances(rows, lists, 100'000);
    ExpectShares(set, rows, DrawWithManySeeds(lists, static_cast<int64_t>(rows.size()), 100'000));
  }
}

}  // namespace
}  // namespace ltml::sampling
