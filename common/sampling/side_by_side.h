#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/sampling/permutation.h"

namespace ltml::sampling {

// Evaluates permutations side by side, each in a lane.  The rounds of one evaluation wait for each
// other, those of many do not: several times as fast as one by one.  Lanes run in blocks of 16,
// each as long as its lane with most rounds, so those with equal rounds are best added together.
class SideBySide {
 public:
  static constexpr size_t kMost = 256;

  // At most kMost before they run; each has a place of its own.
  void Add(const PermutationDomain& domain, uint64_t key, uint64_t slot, uint8_t place) {
    assert(count_ < kMost);
    const auto [left, right] = domain.rows().Split(slot);
    left_[count_] = left;
    right_[count_] = right;
    key_[count_] = key;
    side_[count_] = domain.side();
    // The only slot of one is its own image.
    rounds_[count_] = domain.size() == 1 ? 0 : static_cast<uint64_t>(domain.rounds());
    size_[count_] = domain.size();
    place_[count_++] = place;
  }

  // images[place] = Permutation(domain, key)(slot) of all that were added.  None are left.
  void Run(std::span<uint64_t> images);

 private:
  using Words = std::array<uint64_t, kMost>;

  uint64_t MostRounds(size_t first) const;
  void FillLastBlock();
  void RunPortable();
  void RunAvx2();
  void RunBlock(size_t first);
  void Take(std::span<uint64_t> images);

  alignas(32) Words left_, right_, key_, side_, rounds_, size_;
  std::array<uint8_t, kMost> place_;
  size_t count_ = 0;
};

}  // namespace ltml::sampling
