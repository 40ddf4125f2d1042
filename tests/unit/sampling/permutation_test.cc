#include "common/sampling/permutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "tests/unit/sampling/chi_square.h"

namespace ltml::sampling {
namespace {

Permutation Make(uint64_t size, uint64_t key) {
  return Permutation(PermutationDomain(size), PermutationKey{.seed = 11, .domain = 5, .b = key});
}

TEST(Divider, EqualsDivisionAtTheEdges) {
  constexpr uint64_t kMax = ~uint64_t{0};
  for (const uint64_t d : {uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{1000}, uint64_t{1} << 32,
                           (uint64_t{1} << 62) + 1, uint64_t{1} << 63, kMax}) {
    const Divider divider(d);
    for (const uint64_t x : {uint64_t{0}, uint64_t{1}, d - 1, d, d + 1, 5 * d - 1, 5 * d, kMax - 1,
                             kMax, kMax / d * d, kMax / d * d - 1}) {
      EXPECT_EQ(divider.Split(x).quotient, x / d) << x << " / " << d;
      EXPECT_EQ(divider.Split(x).remainder, x % d) << x << " / " << d;
    }
  }
}

TEST(PermutationDomain, SideIsTheLeastEvenNumberWhoseSquareHoldsTheSize) {
  const std::vector<std::array<uint64_t, 2>> cases = {
      {1, 2},
      {2, 2},
      {4, 2},
      {5, 4},
      {16, 4},
      {17, 6},
      {36, 6},
      {37, 8},
      {1'000'000, 1000},
      {1'000'001, 1002},
      {1'000'000'000'000, 1'000'000},
      {uint64_t{1} << 62, uint64_t{1} << 31},
      {(uint64_t{1} << 62) + 1, (uint64_t{1} << 31) + 2}};
  for (const auto& [size, side] : cases) EXPECT_EQ(PermutationDomain::SideFor(size), side) << size;
}

TEST(Permutation, IsABijectionForEverySize) {
  std::vector<uint64_t> sizes;
  for (uint64_t size = 1; size <= 300; ++size) sizes.push_back(size);
  sizes.insert(sizes.end(),
               {1000, 1023, 1024, 1025, 4097, 10'007, 65'535, 65'536, 65'537, 300'000});
  for (const uint64_t size : sizes) {
    for (uint64_t key = 0; key < 3; ++key) {
      const Permutation permutation = Make(size, key);
      std::vector<bool> seen(size);
      for (uint64_t slot = 0; slot < size; ++slot) {
        const uint64_t image = permutation(slot);
        ASSERT_LT(image, size);
        ASSERT_FALSE(seen[image]) << "image " << image << " twice for N = " << size;
        seen[image] = true;
      }
    }
  }
}

// Every (slot, image) is equally likely over keys, and so is every pair of images of two slots.
// Failure probability below 1e-8 for each of the 210 statistics.
TEST(Permutation, SmallSizesHaveUniformMarginalsAndPairs) {
  constexpr uint64_t kKeys = 200'000;
  for (uint64_t size = 1; size <= 8; ++size) {
    std::vector<std::vector<int64_t>> marginals(size, std::vector<int64_t>(size));
    std::map<std::array<uint64_t, 2>, std::vector<int64_t>> pairs;
    std::vector<uint64_t> images(size);
    for (uint64_t key = 0; key < kKeys; ++key) {
      const Permutation permutation = Make(size, key);
      for (uint64_t slot = 0; slot < size; ++slot) {
        images[slot] = permutation(slot);
        ++marginals[slot][images[slot]];
        for (uint64_t other = 0; other < slot; ++other) {
          auto& counts = pairs[{other, slot}];
          counts.resize(size * size);
          ++counts[images[other] * size + images[slot]];
        }
      }
    }
    for (const auto& counts : marginals) EXPECT_LT(ChiSquareDeviate(counts), kDeviateLimit) << size;
    std::vector<double> expected(size * size, kKeys / static_cast<double>(size * (size - 1)));
    for (uint64_t i = 0; i < size; ++i) expected[i * size + i] = 0;
    for (const auto& [slots, counts] : pairs) {
      EXPECT_LT(ChiSquareDeviate(counts, expected), kDeviateLimit) << size;
    }
  }
}

// All N! orders occur equally often up to N = 5 (120 cells of 1,666 expected draws).
TEST(Permutation, SmallSizesReachEveryOrderEquallyOften) {
  for (uint64_t size = 2; size <= 5; ++size) {
    std::map<std::vector<uint64_t>, int64_t> orders;
    for (uint64_t key = 0; key < 200'000; ++key) {
      const Permutation permutation = Make(size, key);
      std::vector<uint64_t> order(size);
      for (uint64_t slot = 0; slot < size; ++slot) order[slot] = permutation(slot);
      ++orders[order];
    }
    std::vector<int64_t> counts;
    for (const auto& [order, count] : orders) counts.push_back(count);
    EXPECT_EQ(counts.size(), static_cast<size_t>(std::tgamma(size + 1.0) + 0.5));
    EXPECT_LT(ChiSquareDeviate(counts), kDeviateLimit) << size;
  }
}

// With perfectly random round functions, how far the network on 2 x 2 places is from giving all 24
// orders equally: half the sum of |p - 1/24|, worked out exactly.  Every two rounds halve it twice.
double DistanceOnFourPlaces(int rounds) {
  using Order = std::array<int, 4>;
  std::map<Order, double> chances = {{Order{0, 1, 2, 3}, 1.0}};
  for (int round = 0; round < rounds; ++round) {
    std::map<Order, double> next;
    for (const auto& [order, chance] : chances) {
      for (int function = 0; function < 4; ++function) {
        Order moved = order;
        for (int& place : moved) {
          const int left = place >> 1, right = place & 1;
          place = round % 2 == 0 ? ((left ^ (function >> right & 1)) << 1 | right)
                                 : (left << 1 | (right ^ (function >> left & 1)));
        }
        next[moved] += chance / 4;
      }
    }
    chances = next;
  }
  double distance = (24.0 - static_cast<double>(chances.size())) / 24;
  for (const auto& [order, chance] : chances) distance += std::abs(chance - 1.0 / 24);
  return distance / 2;
}

TEST(Permutation, RoundsOnFourPlacesLeaveLessThanOneInTenMillion) {
  EXPECT_NEAR(DistanceOnFourPlaces(4), 1.0 / 12, 1e-12);
  EXPECT_LT(DistanceOnFourPlaces(PermutationDomain::RoundsFor(2)), 1e-7);
}

TEST(Permutation, WordsOfTheKeyAreNotInterchangeable) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    for (uint32_t domain = 0; domain < 6; ++domain) {
      for (uint64_t a = 0; a < 6; ++a) {
        for (uint64_t b = 0; b < 6; ++b) {
          hashes.insert(PermutationKey{.seed = seed, .domain = domain, .a = a, .b = b}.Hash());
        }
      }
    }
  }
  EXPECT_EQ(hashes.size(), 6u * 6 * 6 * 6);
}

// Neighbouring keys give unrelated permutations: of 1,000 images, the number that agree is 1 on
// average with variance 1.  Over 2,000 pairs the mean is within 6 / sqrt(2000) of 1.
TEST(Permutation, NeighbouringKeysAgreeAsOftenAsChance) {
  constexpr int kPairs = 2000;
  const PermutationDomain domain(1000);
  for (int word = 0; word < 4; ++word) {
    int64_t agreed = 0;
    for (uint64_t i = 0; i < kPairs; ++i) {
      PermutationKey key{.seed = 3 * i, .domain = static_cast<uint32_t>(i), .a = i, .b = 2 * i};
      const Permutation one(domain, key);
      if (word == 0) key.seed += 1;
      if (word == 1) key.domain += 1;
      if (word == 2) key.a += 1;
      if (word == 3) key.b += 1;
      const Permutation other(domain, key);
      for (uint64_t slot = 0; slot < 1000; ++slot) agreed += one(slot) == other(slot) ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(agreed) / kPairs, 1.0, 6 / std::sqrt(kPairs)) << word;
  }
}

// What is pinned here may never change: recorded runs would no longer resume.  A rendering of the
// documented formulas in Python gives the same numbers.
TEST(Permutation, PinnedOutputs) {
  const auto first = [](uint64_t size) {
    const Permutation permutation(PermutationDomain(size),
                                  PermutationKey{.seed = 42, .domain = 1, .a = 2, .b = 3});
    return std::vector<uint64_t>{permutation(0), permutation(1), permutation(size - 1)};
  };
  using Images = std::vector<uint64_t>;
  EXPECT_EQ(first(2), (Images{1, 0, 0}));
  EXPECT_EQ(first(7), (Images{6, 1, 0}));
  EXPECT_EQ(first(50), (Images{45, 48, 38}));
  EXPECT_EQ(first(1142), (Images{834, 901, 236}));
  EXPECT_EQ(first(1'000'000), (Images{611'568, 908'484, 260'383}));
  EXPECT_EQ(first(1'000'000'000'000), (Images{703'406'406'939, 373'400'901'498, 416'082'589'283}));
  EXPECT_EQ(first(uint64_t{1} << 62), (Images{1'873'153'082'363'594'877, 226'522'987'876'463'183,
                                              3'829'522'820'569'485'990}));
}

}  // namespace
}  // namespace ltml::sampling
