#pragma once

#include <cstdint>

#include "common/sampling/mixer.h"

namespace ltml::sampling {

// What a permutation depends on besides its size.  Different keys give unrelated permutations.
// The prefix hashes what stays the same over many permutations, so that only `b` is left per draw.
struct PermutationKey {
  uint64_t seed = 0;
  uint32_t domain = 0;  // what the permutation is for
  uint64_t a = 0;
  uint64_t b = 0;

  static constexpr uint64_t Prefix(uint64_t seed, uint32_t domain, uint64_t a) {
    return Absorb(Absorb(Absorb(0, seed), domain), a);
  }
  constexpr uint64_t Hash() const { return Absorb(Prefix(seed, domain, a), b); }
};

// The set [0, N) laid out as a square side x side >= N: what of a permutation depends on N alone.
// Making one costs a square root; keep it where N stays the same.
class PermutationDomain {
 public:
  // 1 <= size <= 2^63.
  explicit PermutationDomain(uint64_t size) : PermutationDomain(size, RoundsFor(SideFor(size))) {}
  // With another number of rounds than the proven one, for tests that measure rounds.
  PermutationDomain(uint64_t size, int rounds)
      : size_(size), rows_(SideFor(size)), rounds_(rounds) {}

  // The least even number, at least 2, whose square is not below `size`.
  static uint64_t SideFor(uint64_t size);
  // Feistel rounds for a side, even: docs/sampling.md says how they were found.
  static constexpr int RoundsFor(uint64_t side) {
    if (side <= 2) return 24;
    if (side <= 8) return 16;
    if (side < 256) return 10;
    return side < 1000 ? 8 : 6;
  }

  uint64_t size() const { return size_; }
  uint64_t side() const { return rows_.divisor(); }
  int rounds() const { return rounds_; }
  const Divider& rows() const { return rows_; }

 private:
  uint64_t size_;
  Divider rows_;
  int rounds_;
};

// One round: what is left of x after adding a function of the other half y.
constexpr uint64_t FeistelRound(uint64_t x, uint64_t y, uint64_t round_key, uint64_t side) {
  const uint64_t sum = x + MultiplyHigh(MixHigh(round_key + y), side);
  return sum >= side ? sum - side : sum;
}

// A keyed bijection of [0, N), evaluated at any place without a table: a generalised Feistel
// network with cycle walking (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
//
//   x = left * side + right
//   even rounds: left  = (left  + F(round, right)) mod side
//   odd rounds:  right = (right + F(round, left))  mod side
//   again from the result while it is >= N
//   F(round, half) = floor(side * MixHigh(key + round * gamma + half) / 2^64)
//
// The square holds at most (sqrt(N) + 2)^2 places, so a draw takes 1 + O(1 / sqrt(N)) walks on
// average: 1.00 at N = 10^6, at most 3.2 (N = 5).  Const and thread-safe; O(1) memory.
//
//   const PermutationDomain domain(1'000'000);
//   const Permutation shuffle(domain, PermutationKey{.seed = 7, .domain = 0, .a = 0, .b = epoch});
//   const uint64_t image = shuffle(slot);
class Permutation {
 public:
  // Copies the domain.
  Permutation(const PermutationDomain& domain, uint64_t key_hash)
      : domain_(domain), key_(key_hash) {}
  Permutation(const PermutationDomain& domain, const PermutationKey& key)
      : Permutation(domain, key.Hash()) {}

  uint64_t size() const { return domain_.size(); }

  // Image of `slot` in [0, N).
  uint64_t operator()(uint64_t slot) const {
    if (domain_.size() == 1) return 0;
    do {
      slot = Walk(slot);
    } while (slot >= domain_.size());
    return slot;
  }

 private:
  uint64_t Walk(uint64_t place) const {
    const uint64_t side = domain_.side();
    auto [left, right] = domain_.rows().Split(place);
    uint64_t round_key = key_;
    for (int round = 0; round < domain_.rounds(); round += 2) {
      left = FeistelRound(left, right, round_key, side);
      right = FeistelRound(right, left, round_key + kGoldenGamma, side);
      round_key += 2 * kGoldenGamma;
    }
    return left * side + right;
  }

  PermutationDomain domain_;
  uint64_t key_;
};

}  // namespace ltml::sampling
