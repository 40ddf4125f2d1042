#pragma once

#include <cassert>
#include <cstdint>

namespace ltml::sampling {

// The increment of SplitMix64: 2^64 divided by the golden ratio, made odd.
inline constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

// What SplitMix64's finaliser multiplies with.
inline constexpr uint64_t kMixFactors[2] = {0xbf58476d1ce4e5b9, 0x94d049bb133111eb};

// Two multiplications and shifts of SplitMix64's finaliser (Stafford's variant 13).  Its last shift
// is left out: it only changes the low half, and every user here takes the high bits.
constexpr uint64_t MixHigh(uint64_t x) {
  x = (x ^ (x >> 30)) * kMixFactors[0];
  return (x ^ (x >> 27)) * kMixFactors[1];
}

// SplitMix64's whole finaliser: a bijection of 64-bit words.
constexpr uint64_t Mix(uint64_t x) {
  x = MixHigh(x);
  return x ^ (x >> 31);
}

// Folds one more word into a hash.  For a fixed hash it is a bijection of the word, so keys that
// differ in the last word only never collide.
constexpr uint64_t Absorb(uint64_t hash, uint64_t word) {
  return Mix((hash ^ word) + kGoldenGamma);
}

// High word of a 128-bit product: maps a uniform word x to [0, range) with a bias below
// range / 2^64.
constexpr uint64_t MultiplyHigh(uint64_t x, uint64_t range) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(x) * range) >> 64);
}

// Division by a number that stays: a multiplication by its reciprocal and one correction.
class Divider {
 public:
  struct Parts {
    uint64_t quotient = 0;
    uint64_t remainder = 0;
  };

  // divisor >= 1.
  constexpr explicit Divider(uint64_t divisor)
      : divisor_(divisor), reciprocal_(divisor == 0 ? 0 : ~uint64_t{0} / divisor) {
    assert(divisor >= 1);
  }

  constexpr uint64_t divisor() const { return divisor_; }

  // Exact for every x: the reciprocal is at most 1 below 2^64 / divisor, and x < 2^64, so the
  // estimated quotient is at most 1 short.
  constexpr Parts Split(uint64_t x) const {
    Parts parts;
    parts.quotient = MultiplyHigh(x, reciprocal_);
    parts.remainder = x - parts.quotient * divisor_;
    const uint64_t short_by_one = parts.remainder >= divisor_ ? 1 : 0;
    parts.quotient += short_by_one;
    parts.remainder -= short_by_one * divisor_;
    return parts;
  }

 private:
  uint64_t divisor_;
  uint64_t reciprocal_;
};

}  // namespace ltml::sampling
