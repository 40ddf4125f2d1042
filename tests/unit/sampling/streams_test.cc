#include "common/sampling/streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "tests/unit/sampling/chi_square.h"

namespace ltml::sampling {
namespace {

using LabelRows = std::vector<std::vector<int32_t>>;

ClassLists ListsOf(const LabelRows& rows, int classes) {
  return MakeClassLists(
      static_cast<int64_t>(rows.size()),
      classes, [&](int64_t image) -> const auto& { return rows[image]; });
}

// 40 images; class 2 is empty, class 4 has one image, some images have no label, some have several.
LabelRows SmallSet() {
  LabelRows rows(40);
  for (int image = 0; image < 40; ++image) {
    if (image % 5 == 0) continue;
    rows[image].push_back(0);
    if (image % 3 == 0) rows[image].push_back(1);
    if (image % 7 == 0) rows[image].push_back(3);
    if (image == 11) rows[image].push_back(4);
  }
  return rows;
}

TEST(StepSlice, SlicesOfOneToEightRanksAreTheSameStep) {
  for (const int64_t batch : {8, 9, 13, 32, 64, 255}) {
    for (const int64_t step : {int64_t{0}, int64_t{1}, int64_t{1'000'000'007}}) {
      for (int world_size = 1; world_size <= 8; ++world_size) {
        int64_t next = step * batch, least = batch, most = 0;
        for (int rank = 0; rank < world_size; ++rank) {
          const Slice slice = StepSlice(step, batch, rank, world_size);
          EXPECT_EQ(slice.begin, next);
          next = slice.end;
          least = std::min(least, slice.size());
          most = std::max(most, slice.size());
        }
        EXPECT_EQ(next, (step + 1) * batch);
        EXPECT_LE(most - least, 1);
      }
    }
  }
}

TEST(StepSlice, ByHand) {
  // 10 images over 3 ranks: 4 + 3 + 3, after 2 steps of 10.
  EXPECT_EQ(StepSlice(2, 10, 0, 3), (Slice{20, 24}));
  EXPECT_EQ(StepSlice(2, 10, 1, 3), (Slice{24, 27}));
  EXPECT_EQ(StepSlice(2, 10, 2, 3), (Slice{27, 30}));
}

TEST(MakeClassLists, KeepsTheOrderOfTheDataSet) {
  const ClassLists lists = ListsOf({{1}, {}, {0, 1}, {1}}, 3);
  EXPECT_EQ(lists.offsets, (std::vector<int64_t>{0, 1, 4, 4}));
  EXPECT_EQ(lists.images, (std::vector<uint32_t>{2, 0, 2, 3}));
  EXPECT_EQ(lists.view().classes(), 3);
  EXPECT_EQ(lists.view().count(1), 3);
  EXPECT_EQ(lists.view().count(2), 0);
}

TEST(UniformStream, EveryImageOnceInEveryEpoch) {
  for (const int64_t images : {1, 2, 3, 7, 40, 1142}) {
    const UniformStream stream(9, images);
    for (int64_t epoch : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{1'000'000'000'000}}) {
      std::set<int64_t> seen;
      for (int64_t slot = 0; slot < images; ++slot) {
        const int64_t image = stream.ImageAt(epoch * images + slot);
        EXPECT_GE(image, 0);
        EXPECT_LT(image, images);
        seen.insert(image);
      }
      EXPECT_EQ(static_cast<int64_t>(seen.size()), images);
    }
  }
}

TEST(UniformStream, ManyDrawsEqualSingleDraws) {
  const UniformStream stream(3, 37);
  std::vector<int64_t> images(200);
  stream.ImagesAt(30, images);
  for (int64_t i = 0; i < 200; ++i) EXPECT_EQ(images[i], stream.ImageAt(30 + i));
}

// Images in 64 equal ranges: 100,000 different draws; failure probability below 1e-8.
TEST(UniformStream, HugeSetsAreDrawnEvenlyAndWithoutRepeats) {
  for (const int64_t images : {int64_t{1'000'000'000'000}, int64_t{1} << 62}) {
    for (const int64_t first : {int64_t{0}, images - 50'000}) {
      const UniformStream stream(17, images);
      std::vector<int64_t> draws(100'000);
      stream.ImagesAt(first, draws);
      std::vector<int64_t> counts(64);
      for (const int64_t image : draws) {
        ASSERT_GE(image, 0);
        ASSERT_LT(image, images);
        ++counts[static_cast<size_t>(static_cast<double>(image) / static_cast<double>(images) *
                                     64)];
      }
      EXPECT_LT(ChiSquareDeviate(counts), kDeviateLimit);
      if (first == 0) {
        EXPECT_EQ(std::set<int64_t>(draws.begin(), draws.end()).size(), draws.size());
      }
    }
  }
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  double sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum_a += a[i];
    sum_b += b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
    ab += a[i] * b[i];
  }
  return (n * ab - sum_a * sum_b) / std::sqrt((n * aa - sum_a * sum_a) * (n * bb - sum_b * sum_b));
}

// r of two independent orders of N images has mean 0 and variance 1 / (N - 1).  The sum over 400
// pairs, scaled, is standard normal: beyond 6 with probability 2e-9.  Lags 1 and 2, and the order
// within an epoch against itself shifted by one slot (mean -1 / N).
TEST(UniformStream, SuccessiveEpochsAreIndependent) {
  constexpr int64_t kImages = 1142;
  constexpr int kEpochs = 400;
  const UniformStream stream(5, kImages);
  const auto order = [&](int64_t epoch, int64_t shift) {
    std::vector<double> images;
    for (int64_t slot = 0; slot < kImages; ++slot) {
      images.push_back(
          static_cast<double>(stream.ImageAt(epoch * kImages + (slot + shift) % kImages)));
    }
    return images;
  };
  double lag_one = 0, lag_two = 0, within = 0;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<double> images = order(epoch, 0);
    lag_one += Correlation(images, order(epoch + 1, 0));
    lag_two += Correlation(images, order(epoch + 2, 0));
    within += Correlation(images, order(epoch, 1)) + 1.0 / kImages;
  }
  const double scale = std::sqrt((kImages - 1.0) / kEpochs);
  EXPECT_LT(std::abs(lag_one * scale), 6);
  EXPECT_LT(std::abs(lag_two * scale), 6);
  EXPECT_LT(std::abs(within * scale), 6);
}

// An image on both sides of an epoch's end: last of one and first of the next with probability 1 /
// N.
TEST(UniformStream, ImagesMeetAcrossEpochsAsOftenAsChance) {
  const UniformStream stream(6, 20);
  constexpr int kEpochs = 40'000;
  int met = 0;
  for (int64_t epoch = 1; epoch <= kEpochs; ++epoch) {
    met += stream.ImageAt(epoch * 20 - 1) == stream.ImageAt(epoch * 20) ? 1 : 0;
  }
  // Binomial: 2,000 expected, standard deviation 43.6.
  EXPECT_NEAR(met, 2000, 6 * 43.6);
}

TEST(RebalancedStream, EveryClassWithImagesOnceInEveryRound) {
  const LabelRows rows = SmallSet();
  const ClassLists lists = ListsOf(rows, 5);
  const auto stream = RebalancedStream::Create(1, lists);
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(stream->classes_with_images(), 4);
  for (int64_t round = 0; round < 500; ++round) {
    std::set<int32_t> classes;
    for (int64_t slot = 0; slot < 4; ++slot) {
      const RebalancedStream::Draw draw = stream->DrawAt(round * 4 + slot);
      const auto& labels = rows[draw.image];
      EXPECT_NE(std::find(labels.begin(), labels.end(), draw.class_index), labels.end());
      classes.insert(draw.class_index);
    }
    EXPECT_EQ(classes, (std::set<int32_t>{0, 1, 3, 4}));
  }
}

TEST(RebalancedStream, AllImagesOfAClassBeforeAnyRepeats) {
  const LabelRows rows = SmallSet();
  const ClassLists lists = ListsOf(rows, 5);
  const auto stream = RebalancedStream::Create(8, lists);
  std::map<int32_t, std::vector<int64_t>> drawn;
  for (int64_t position = 0; position < 4000; ++position) {
    const RebalancedStream::Draw draw = stream->DrawAt(position);
    drawn[draw.class_index].push_back(draw.image);
  }
  for (const auto& [k, images] : drawn) {
    const int64_t count = lists.view().count(k);
    const std::set<int64_t> all(lists.images.begin() + lists.offsets[k],
                                lists.images.begin() + lists.offsets[k + 1]);
    for (auto at = images.begin(); images.end() - at >= count; at += count) {
      EXPECT_EQ(std::set<int64_t>(at, at + count), all) << "class " << k;
    }
  }
}

TEST(RebalancedStream, ManyDrawsEqualSingleDraws) {
  const ClassLists lists = ListsOf(SmallSet(), 5);
  const auto stream = RebalancedStream::Create(2, lists);
  std::vector<int64_t> images(100);
  stream->ImagesAt(7, images);
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(images[i], stream->ImageAt(7 + i));
}

// Classes of 1 to 3,000 images, so that evaluations side by side have 24 to 8 rounds and walk on at
// different times; blocks of every length, over the ends of rounds and cycles.
TEST(RebalancedStream, ManyDrawsOfUnequalClassesEqualSingleDraws) {
  LabelRows rows(3000);
  for (int image = 0; image < 3000; ++image) {
    for (int k = 0; k < 37; ++k) {
      if (image % (1 + k * k) == 0) rows[image].push_back(k);
    }
  }
  const ClassLists lists = ListsOf(rows, 37);
  const auto stream = RebalancedStream::Create(5, lists);
  for (const int64_t first : {int64_t{0}, int64_t{1'000'000'007}}) {
    std::vector<int64_t> images(5000);
    int64_t done = 0;
    for (int64_t length = 1; done + length <= 5000; done += length++) {
      stream->ImagesAt(first + done, std::span(images).subspan(done, length));
    }
    for (int64_t i = 0; i < done; ++i) ASSERT_EQ(images[i], stream->ImageAt(first + i)) << i;
  }
}

TEST(RebalancedStream, RefusesASetWithoutLabels) {
  for (const ClassLists& lists : {ListsOf({{}, {}}, 3), ListsOf({}, 0), ClassLists()}) {
    const auto stream = RebalancedStream::Create(1, lists);
    ASSERT_FALSE(stream.ok());
    EXPECT_EQ(stream.status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(Streams, SeedsAndStreamsDiffer) {
  const UniformStream one(1, 1'000'000), two(2, 1'000'000);
  int same = 0;
  for (int64_t position = 0; position < 1000; ++position) {
    same += one.ImageAt(position) == two.ImageAt(position) ? 1 : 0;
  }
  EXPECT_LE(same, 3);
}

// What is pinned here may never change: recorded runs would no longer resume.  A rendering of the
// documented formulas in Python gives the same numbers.
TEST(Streams, PinnedOutputs) {
  const auto uniform = [](int64_t images, int64_t first) {
    std::vector<int64_t> draws(4);
    UniformStream(2026, images).ImagesAt(first, draws);
    return draws;
  };
  using Images = std::vector<int64_t>;
  EXPECT_EQ(uniform(5, 3), (Images{0, 1, 0, 1}));
  EXPECT_EQ(uniform(1142, 1140), (Images{631, 281, 176, 904}));
  EXPECT_EQ(uniform(1'000'000'000'000, 7),
            (Images{51'271'228'621, 366'241'489'235, 844'751'669'950, 708'450'980'067}));
  EXPECT_EQ(uniform(int64_t{1} << 62, 7),
            (Images{1'573'541'767'938'573'634, 2'396'457'174'232'626'817, 443'517'052'525'885'137,
                    4'541'390'943'304'690'479}));
  const ClassLists lists = ListsOf(SmallSet(), 5);
  Images rebalanced(8);
  RebalancedStream::Create(2026, lists)->ImagesAt(1'000'000'000'000, rebalanced);
  EXPECT_EQ(rebalanced, (Images{36, 7, 11, 28, 7, 18, 11, 14}));
}

}  // namespace
}  // namespace ltml::sampling
