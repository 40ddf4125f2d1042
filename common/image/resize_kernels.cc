#include "common/image/resize_kernels.h"

#include <algorithm>
#include <cstring>

#include "common/base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ltml::image {
namespace {

int32_t HalfOf(const Filter& filter) {
  return filter.precision() > 0 ? 1 << (filter.precision() - 1) : 0;
}

uint32_t Clamped(int32_t sum, int precision) {
  return static_cast<uint32_t>(std::clamp(sum >> precision, 0, 255));
}

uint32_t AcrossOne(const Filter& filter, int i, const uint8_t* row) {
  const uint8_t* from = row + std::ptrdiff_t{3} * filter.start(i);
  const int16_t* weights = filter.weights(i);
  int32_t red = HalfOf(filter), green = red, blue = red;
  for (int j = 0; j < filter.count(i); ++j, from += 3) {
    red += weights[j] * from[0];
    green += weights[j] * from[1];
    blue += weights[j] * from[2];
  }
  const int precision = filter.precision();
  return Clamped(red, precision) | Clamped(green, precision) << 8 | Clamped(blue, precision) << 16;
}

void AcrossPortable(const Filter& filter, const ResizeKernels::Rows& rows) {
  for (int i = 0; i < filter.outputs(); ++i) {
    rows.to[i * rows.step] = AcrossOne(filter, i, rows.from);
    rows.other_to[i * rows.step] = AcrossOne(filter, i, rows.other_from);
  }
}

// Pixels [begin, end) of a row.
void DownRange(const Filter& filter, int i, const ResizeKernels::Column& column, int begin,
               int end) {
  const int16_t* weights = filter.weights(i);
  const int32_t half = HalfOf(filter);
  const auto* from = reinterpret_cast<const uint8_t*>(column.from);
  auto* to = reinterpret_cast<uint8_t*>(column.to);
  for (int b = 4 * begin; b < 4 * end; ++b) {
    int32_t sum = half;
    for (int j = 0; j < filter.count(i); ++j) {
      sum += weights[j] * from[std::ptrdiff_t{4} * j * column.width + b];
    }
    to[b] = static_cast<uint8_t>(Clamped(sum, filter.precision()));
  }
}

void DownPortable(const Filter& filter, int i, const ResizeKernels::Column& column) {
  DownRange(filter, i, column, 0, column.width);
}

#if defined(__x86_64__)

LTML_AVX2 LTML_KERNEL __m256i LoadBoth(const uint8_t* low, const uint8_t* high) {
  const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(first),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

// Two neighbouring weights in every 32-bit lane.
LTML_AVX2 LTML_KERNEL __m256i WeightPair(const int16_t* weights) {
  int32_t pair;
  std::memcpy(&pair, weights, sizeof pair);
  return _mm256_set1_epi32(pair);
}

// Four taps a turn: a row in each half, (tap, next tap) as 16-bit pairs of red, green, blue.
LTML_AVX2 void AcrossAvx2(const Filter& filter, const ResizeKernels::Rows& rows) {
  const __m256i taps_01 = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const __m256i taps_23 = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
  const __m256i half = _mm256_set1_epi32(HalfOf(filter));
  const __m128i shift = _mm_cvtsi32_si128(filter.precision());
  for (int i = 0; i < filter.outputs(); ++i) {
    const int16_t* weights = filter.weights(i);
    const std::ptrdiff_t start = std::ptrdiff_t{3} * filter.start(i);
    const uint8_t* low = rows.from + start;
    const uint8_t* high = rows.other_from + start;
    __m256i sums = half;
    for (int j = 0; j < filter.count(i); j += 4, low += 12, high += 12) {
      const __m256i pixels = LoadBoth(low, high);
      const __m256i first =
          _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, taps_01), WeightPair(weights + j));
      const __m256i second =
          _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, taps_23), WeightPair(weights + j + 2));
      sums = _mm256_add_epi32(sums, _mm256_add_epi32(first, second));
    }
    sums = _mm256_sra_epi32(sums, shift);
    sums = _mm256_packs_epi32(sums, sums);
    sums = _mm256_packus_epi16(sums, sums);
    rows.to[i * rows.step] = static_cast<uint32_t>(_mm256_extract_epi32(sums, 0));
    rows.other_to[i * rows.step] = static_cast<uint32_t>(_mm256_extract_epi32(sums, 4));
  }
}

struct Sums {
  __m256i quarters[4];
};

// Adds two rows of eight pixels, each byte times its row's weight.
LTML_AVX2 LTML_KERNEL void AddRows(__m256i row, __m256i next, __m256i weights, Sums& sums) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_unpacklo_epi8(row, next), high = _mm256_unpackhi_epi8(row, next);
  const __m256i pairs[4] = {_mm256_unpacklo_epi8(low, zero), _mm256_unpackhi_epi8(low, zero),
                            _mm256_unpacklo_epi8(high, zero), _mm256_unpackhi_epi8(high, zero)};
  for (int q = 0; q < 4; ++q) {
    sums.quarters[q] = _mm256_add_epi32(sums.quarters[q], _mm256_madd_epi16(pairs[q], weights));
  }
}

LTML_AVX2 LTML_KERNEL __m256i Packed(const Sums& sums, __m128i shift) {
  __m256i shifted[4];
  for (int q = 0; q < 4; ++q) shifted[q] = _mm256_sra_epi32(sums.quarters[q], shift);
  return _mm256_packus_epi16(_mm256_packs_epi32(shifted[0], shifted[1]),
                             _mm256_packs_epi32(shifted[2], shifted[3]));
}

LTML_AVX2 void DownAvx2(const Filter& filter, int i, const ResizeKernels::Column& column) {
  const int16_t* weights = filter.weights(i);
  const int count = filter.count(i);
  const __m256i half = _mm256_set1_epi32(HalfOf(filter));
  const __m128i shift = _mm_cvtsi32_si128(filter.precision());
  int x = 0;
  for (; x + 8 <= column.width; x += 8) {
    const auto row = [&](int j) {
      return reinterpret_cast<const __m256i*>(column.from + std::ptrdiff_t{1} * j * column.width +
                                              x);
    };
    Sums sums = {{half, half, half, half}};
    for (int j = 0; j < count; j += 2) {
      // The weight behind the last is 0.
      const __m256i next = _mm256_loadu_si256(row(j + 1 < count ? j + 1 : j));
      AddRows(_mm256_loadu_si256(row(j)), next, WeightPair(weights + j), sums);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(column.to + x), Packed(sums, shift));
  }
  DownRange(filter, i, column, x, column.width);
}

#endif

}  // namespace

const ResizeKernels& PortableKernels() {
  static constexpr ResizeKernels kKernels = {AcrossPortable, DownPortable};
  return kKernels;
}

const ResizeKernels& Avx2Kernels() {
#if defined(__x86_64__)
  static constexpr ResizeKernels kKernels = {AcrossAvx2, DownAvx2};
  return kKernels;
#else
  return PortableKernels();
#endif
}

const ResizeKernels& BestKernels() { return base::HasAvx2() ? Avx2Kernels() : PortableKernels(); }

}  // namespace ltml::image
