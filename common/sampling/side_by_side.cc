#include "common/sampling/side_by_side.h"

#include <algorithm>

#include "common/base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ltml::sampling {
namespace {

constexpr size_t kVector = 4;
constexpr size_t kBlock = 4 * kVector;
static_assert(SideBySide::kMost % kBlock == 0 && SideBySide::kMost <= 256);

#if defined(__x86_64__)

// Sixteen lanes.  Every operation below is done for all four vectors before the next begins: each
// has to wait for the one before, and the processor looks ahead less far than a round is long.
struct Block {
  __m256i of[4];
};

#define LTML_FOR_VECTORS _Pragma("GCC unroll 4") for (size_t v = 0; v < 4; ++v)

// words *= factor, low halves.
LTML_AVX2 LTML_KERNEL void Multiply(uint64_t factor, Block& words) {
  const __m256i low = _mm256_set1_epi64x(static_cast<int64_t>(factor));
  const __m256i high = _mm256_set1_epi64x(static_cast<int64_t>(factor >> 32));
  Block cross, upper;
  LTML_FOR_VECTORS upper.of[v] = _mm256_srli_epi64(words.of[v], 32);
  LTML_FOR_VECTORS cross.of[v] = _mm256_mul_epu32(words.of[v], high);
  LTML_FOR_VECTORS upper.of[v] = _mm256_mul_epu32(upper.of[v], low);
  LTML_FOR_VECTORS words.of[v] = _mm256_mul_epu32(words.of[v], low);
  LTML_FOR_VECTORS cross.of[v] = _mm256_add_epi64(cross.of[v], upper.of[v]);
  LTML_FOR_VECTORS cross.of[v] = _mm256_slli_epi64(cross.of[v], 32);
  LTML_FOR_VECTORS words.of[v] = _mm256_add_epi64(words.of[v], cross.of[v]);
}

template <int kBits>
LTML_AVX2 LTML_KERNEL void XorShift(Block& words) {
  Block shifted;
  LTML_FOR_VECTORS shifted.of[v] = _mm256_srli_epi64(words.of[v], kBits);
  LTML_FOR_VECTORS words.of[v] = _mm256_xor_si256(words.of[v], shifted.of[v]);
}

// words = high word of words * side; a side is below 2^32.
LTML_AVX2 LTML_KERNEL void MultiplyHigh(const Block& side, Block& words) {
  Block low;
  LTML_FOR_VECTORS low.of[v] = _mm256_mul_epu32(words.of[v], side.of[v]);
  LTML_FOR_VECTORS words.of[v] = _mm256_srli_epi64(words.of[v], 32);
  LTML_FOR_VECTORS low.of[v] = _mm256_srli_epi64(low.of[v], 32);
  LTML_FOR_VECTORS words.of[v] = _mm256_mul_epu32(words.of[v], side.of[v]);
  LTML_FOR_VECTORS words.of[v] = _mm256_add_epi64(words.of[v], low.of[v]);
  LTML_FOR_VECTORS words.of[v] = _mm256_srli_epi64(words.of[v], 32);
}

// As FeistelRound.
LTML_AVX2 LTML_KERNEL Block Round(const Block& x, const Block& y, const Block& round_key,
                                  const Block& side) {
  Block words, beyond;
  LTML_FOR_VECTORS words.of[v] = _mm256_add_epi64(round_key.of[v], y.of[v]);
  XorShift<30>(words);
  Multiply(kMixFactors[0], words);
  XorShift<27>(words);
  Multiply(kMixFactors[1], words);
  MultiplyHigh(side, words);
  LTML_FOR_VECTORS words.of[v] = _mm256_add_epi64(words.of[v], x.of[v]);
  LTML_FOR_VECTORS beyond.of[v] = _mm256_cmpgt_epi64(side.of[v], words.of[v]);
  LTML_FOR_VECTORS beyond.of[v] = _mm256_andnot_si256(beyond.of[v], side.of[v]);
  LTML_FOR_VECTORS words.of[v] = _mm256_sub_epi64(words.of[v], beyond.of[v]);
  return words;
}

template <typename Words>
LTML_AVX2 LTML_KERNEL Block Load(const Words& words, size_t first) {
  Block block;
  LTML_FOR_VECTORS block.of[v] =
      _mm256_load_si256(reinterpret_cast<const __m256i*>(&words[first + v * kVector]));
  return block;
}

template <typename Words>
LTML_AVX2 LTML_KERNEL void Store(const Block& block, Words& words, size_t first) {
  LTML_FOR_VECTORS _mm256_store_si256(reinterpret_cast<__m256i*>(&words[first + v * kVector]),
                                      block.of[v]);
}

LTML_AVX2 LTML_KERNEL void AddGamma(Block& keys) {
  const __m256i gamma = _mm256_set1_epi64x(static_cast<int64_t>(kGoldenGamma));
  LTML_FOR_VECTORS keys.of[v] = _mm256_add_epi64(keys.of[v], gamma);
}

// words = last where the lane has done its rounds.
LTML_AVX2 LTML_KERNEL void Keep(const Block& rounds, uint64_t round, const Block& last,
                                Block& words) {
  const __m256i now = _mm256_set1_epi64x(static_cast<int64_t>(round));
  LTML_FOR_VECTORS words.of[v] =
      _mm256_blendv_epi8(last.of[v], words.of[v], _mm256_cmpgt_epi64(rounds.of[v], now));
}

#endif

}  // namespace

uint64_t SideBySide::MostRounds(size_t first) const {
  return *std::max_element(&rounds_[first], &rounds_[first] + kBlock);
}

void SideBySide::FillLastBlock() {
  for (size_t i = count_; i % kBlock != 0; ++i) {
    left_[i] = right_[i] = key_[i] = side_[i] = rounds_[i] = 0;
  }
}

void SideBySide::RunPortable() {
  for (size_t first = 0; first < count_; first += kBlock) {
    const uint64_t most = MostRounds(first);
    for (uint64_t round = 0; round < most; round += 2) {
      for (size_t i = first; i < first + kBlock; ++i) {
        const uint64_t key = key_[i] + round * kGoldenGamma, side = side_[i];
        const uint64_t left = FeistelRound(left_[i], right_[i], key, side);
        const uint64_t right = FeistelRound(right_[i], left, key + kGoldenGamma, side);
        const bool runs = round < rounds_[i];
        left_[i] = runs ? left : left_[i];
        right_[i] = runs ? right : right_[i];
      }
    }
  }
}

#if defined(__x86_64__)

LTML_AVX2 void SideBySide::RunBlock(size_t first) {
  const Block side = Load(side_, first), rounds = Load(rounds_, first);
  Block left = Load(left_, first), right = Load(right_, first), key = Load(key_, first);
  const auto [fewest, most] = std::ranges::minmax(std::span(rounds_).subspan(first, kBlock));
  for (uint64_t round = 0; round < most; round += 2) {
    Block next_left = Round(left, right, key, side);
    AddGamma(key);
    Block next_right = Round(right, next_left, key, side);
    AddGamma(key);
    if (round >= fewest) {
      Keep(rounds, round, left, next_left);
      Keep(rounds, round, right, next_right);
    }
    left = next_left;
    right = next_right;
  }
  Store(left, left_, first);
  Store(right, right_, first);
}

LTML_AVX2 void SideBySide::RunAvx2() {
  for (size_t first = 0; first < count_; first += kBlock) RunBlock(first);
}

#undef LTML_FOR_VECTORS
#else
void SideBySide::RunAvx2() { RunPortable(); }
#endif

// What lies beyond its set walks on from there: those lanes come to the front.
void SideBySide::Take(std::span<uint64_t> images) {
  size_t walking = 0;
  for (size_t i = 0; i < count_; ++i) {
    const uint64_t image = left_[i] * side_[i] + right_[i];
    images[place_[i]] = image;
    if (image < size_[i]) continue;
    left_[walking] = left_[i];
    right_[walking] = right_[i];
    key_[walking] = key_[i];
    side_[walking] = side_[i];
    rounds_[walking] = rounds_[i];
    size_[walking] = size_[i];
    place_[walking++] = place_[i];
  }
  count_ = walking;
}

void SideBySide::Run(std::span<uint64_t> images) {
  while (count_ > 0) {
    FillLastBlock();
    base::HasAvx2() ? RunAvx2() : RunPortable();
    Take(images);
  }
}

}  // namespace ltml::sampling
