#include "common/image/resize_kernels.h"

#include <algorithm>
#include <cstring>

#include "common/base/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ltml::image {
namespace {

int32_t HalfOf(const Filter& filter) { return 1 << (filter.precision() - 1); }

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

// Outputs from `begin` on.
void AcrossRange(const Filter& filter, const ResizeKernels::Rows& rows, int begin) {
  for (int r = 0; r < ResizeKernels::kRows; ++r) {
    for (int i = begin; i < filter.outputs(); ++i) {
      rows.to[r][i * rows.step] = AcrossOne(filter, i, rows.from[r]);
    }
  }
}

void AcrossPortable(const Filter& filter, const ResizeKernels::Rows& rows) {
  AcrossRange(filter, rows, 0);
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

// Outputs a turn.
constexpr int kTurn = 4;

// Where outputs [i, i + kTurn) of a row lie.
uint32_t* TurnOf(const ResizeKernels::Rows& rows, int row, int i) {
  return rows.to[row] + (rows.step > 0 ? i : -(i + kTurn - 1));
}

// Two neighbouring weights.
int32_t WeightPair(const int16_t* weights) {
  int32_t pair;
  std::memcpy(&pair, weights, sizeof pair);
  return pair;
}

__m128i LoadPixels(const uint8_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// Four pixels of three bytes -> taps (0, 1) and (2, 3) as 16-bit pairs of red, green, blue.
__m128i Taps01() { return _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1); }
__m128i Taps23() {
  return _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
}

// A row in each half.  Output i as 32-bit sums of red, green, blue: four taps a turn.
LTML_AVX2 LTML_KERNEL __m256i AcrossAvx2One(const Filter& filter, int i, const uint8_t* const* from,
                                            __m256i sums) {
  const __m256i taps_01 = _mm256_broadcastsi128_si256(Taps01());
  const __m256i taps_23 = _mm256_broadcastsi128_si256(Taps23());
  const int16_t* weights = filter.weights(i);
  const int count = filter.count(i);
  std::ptrdiff_t at = std::ptrdiff_t{3} * filter.start(i);
  for (int j = 0; j < count; j += 4, at += 12) {
    const __m256i pixels = _mm256_inserti128_si256(_mm256_castsi128_si256(LoadPixels(from[0] + at)),
                                                   LoadPixels(from[1] + at), 1);
    const __m256i first = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, taps_01),
                                            _mm256_set1_epi32(WeightPair(weights + j)));
    const __m256i second = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, taps_23),
                                             _mm256_set1_epi32(WeightPair(weights + j + 2)));
    sums = _mm256_add_epi32(sums, _mm256_add_epi32(first, second));
  }
  return sums;
}

LTML_AVX2 LTML_KERNEL __m256i Packed(const __m256i sums[4], __m128i shift) {
  __m256i shifted[4];
  for (int q = 0; q < 4; ++q) shifted[q] = _mm256_sra_epi32(sums[q], shift);
  return _mm256_packus_epi16(_mm256_packs_epi32(shifted[0], shifted[1]),
                             _mm256_packs_epi32(shifted[2], shifted[3]));
}

LTML_AVX2 void AcrossAvx2(const Filter& filter, const ResizeKernels::Rows& rows) {
  const __m256i half = _mm256_set1_epi32(HalfOf(filter));
  const __m128i shift = _mm_cvtsi32_si128(filter.precision());
  int i = 0;
  for (; i + kTurn <= filter.outputs(); i += kTurn) {
    for (int r = 0; r < ResizeKernels::kRows; r += 2) {
      __m256i sums[kTurn];
      for (int q = 0; q < kTurn; ++q) sums[q] = AcrossAvx2One(filter, i + q, rows.from + r, half);
      __m256i pixels = Packed(sums, shift);
      if (rows.step < 0) pixels = _mm256_shuffle_epi32(pixels, 0x1B);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(TurnOf(rows, r, i)),
                       _mm256_castsi256_si128(pixels));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(TurnOf(rows, r + 1, i)),
                       _mm256_extracti128_si256(pixels, 1));
    }
  }
  AcrossRange(filter, rows, i);
}

// Adds two rows of eight pixels, each byte times its row's weight.
LTML_AVX2 LTML_KERNEL void AddRows(__m256i row, __m256i next, __m256i weights, __m256i sums[4]) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i low = _mm256_unpacklo_epi8(row, next), high = _mm256_unpackhi_epi8(row, next);
  const __m256i pairs[4] = {_mm256_unpacklo_epi8(low, zero), _mm256_unpackhi_epi8(low, zero),
                            _mm256_unpacklo_epi8(high, zero), _mm256_unpackhi_epi8(high, zero)};
  for (int q = 0; q < 4; ++q) {
    sums[q] = _mm256_add_epi32(sums[q], _mm256_madd_epi16(pairs[q], weights));
  }
}

LTML_AVX2 void DownAvx2(const Filter& filter, int i, const ResizeKernels::Column& column) {
  const int16_t* weights = filter.weights(i);
  const int count = filter.count(i);
  const __m256i half = _mm256_set1_epi32(HalfOf(filter));
  const __m128i shift = _mm_cvtsi32_si128(filter.precision());
  int x = 0;
  for (; x + 8 <= column.width; x += 8) {
    const uint32_t* from = column.from + x;
    __m256i sums[4] = {half, half, half, half};
    for (int j = 0; j < count; j += 2, from += std::ptrdiff_t{2} * column.width) {
      // The weight behind the last is 0.
      const uint32_t* next = j + 1 < count ? from + column.width : from;
      AddRows(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)),
              _mm256_loadu_si256(reinterpret_cast<const __m256i*>(next)),
              _mm256_set1_epi32(WeightPair(weights + j)), sums);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(column.to + x), Packed(sums, shift));
  }
  DownRange(filter, i, column, x, column.width);
}

// The same with a row in each quarter.
LTML_AVX512 LTML_KERNEL __m512i AcrossAvx512One(const Filter& filter, int i,
                                                const uint8_t* const* from, __m512i sums) {
  const __m512i taps_01 = _mm512_broadcast_i32x4(Taps01());
  const __m512i taps_23 = _mm512_broadcast_i32x4(Taps23());
  const int16_t* weights = filter.weights(i);
  const int count = filter.count(i);
  std::ptrdiff_t at = std::ptrdiff_t{3} * filter.start(i);
  for (int j = 0; j < count; j += 4, at += 12) {
    __m512i pixels = _mm512_castsi128_si512(LoadPixels(from[0] + at));
    pixels = _mm512_inserti32x4(pixels, LoadPixels(from[1] + at), 1);
    pixels = _mm512_inserti32x4(pixels, LoadPixels(from[2] + at), 2);
    pixels = _mm512_inserti32x4(pixels, LoadPixels(from[3] + at), 3);
    const __m512i first = _mm512_madd_epi16(_mm512_shuffle_epi8(pixels, taps_01),
                                            _mm512_set1_epi32(WeightPair(weights + j)));
    const __m512i second = _mm512_madd_epi16(_mm512_shuffle_epi8(pixels, taps_23),
                                             _mm512_set1_epi32(WeightPair(weights + j + 2)));
    sums = _mm512_add_epi32(sums, _mm512_add_epi32(first, second));
  }
  return sums;
}

LTML_AVX512 LTML_KERNEL __m512i Packed(const __m512i sums[4], __m128i shift) {
  __m512i shifted[4];
  for (int q = 0; q < 4; ++q) shifted[q] = _mm512_sra_epi32(sums[q], shift);
  return _mm512_packus_epi16(_mm512_packs_epi32(shifted[0], shifted[1]),
                             _mm512_packs_epi32(shifted[2], shifted[3]));
}

LTML_AVX512 void AcrossAvx512(const Filter& filter, const ResizeKernels::Rows& rows) {
  const __m512i half = _mm512_set1_epi32(HalfOf(filter));
  const __m128i shift = _mm_cvtsi32_si128(filter.precision());
  int i = 0;
  for (; i + kTurn <= filter.outputs(); i += kTurn) {
    __m512i sums[kTurn];
    for (int q = 0; q < kTurn; ++q) sums[q] = AcrossAvx512One(filter, i + q, rows.from, half);
    __m512i pixels = Packed(sums, shift);
    if (rows.step < 0) pixels = _mm512_shuffle_epi32(pixels, _MM_PERM_ABCD);
    const auto store = [&](int row, __m128i four) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(TurnOf(rows, row, i)), four);
    };
    store(0, _mm512_castsi512_si128(pixels));
    store(1, _mm512_extracti32x4_epi32(pixels, 1));
    store(2, _mm512_extracti32x4_epi32(pixels, 2));
    store(3, _mm512_extracti32x4_epi32(pixels, 3));
  }
  AcrossRange(filter, rows, i);
}

LTML_AVX512 LTML_KERNEL void AddRows(__m512i row, __m512i next, __m512i weights, __m512i sums[4]) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i low = _mm512_unpacklo_epi8(row, next), high = _mm512_unpackhi_epi8(row, next);
  const __m512i pairs[4] = {_mm512_unpacklo_epi8(low, zero), _mm512_unpackhi_epi8(low, zero),
                            _mm512_unpacklo_epi8(high, zero), _mm512_unpackhi_epi8(high, zero)};
  for (int q = 0; q < 4; ++q) {
    sums[q] = _mm512_add_epi32(sums[q], _mm512_madd_epi16(pairs[q], weights));
  }
}

LTML_AVX512 void DownAvx512(const Filter& filter, int i, const ResizeKernels::Column& column) {
  const int16_t* weights = filter.weights(i);
  const int count = filter.count(i);
  const __m512i half = _mm512_set1_epi32(HalfOf(filter));
  const __m128i shift = _mm_cvtsi32_si128(filter.precision());
  for (int x = 0; x < column.width; x += 16) {
    const auto some =
        static_cast<__mmask16>(column.width - x >= 16 ? 0xFFFF : (1 << (column.width - x)) - 1);
    const uint32_t* from = column.from + x;
    __m512i sums[4] = {half, half, half, half};
    for (int j = 0; j < count; j += 2, from += std::ptrdiff_t{2} * column.width) {
      const uint32_t* next = j + 1 < count ? from + column.width : from;
      AddRows(_mm512_maskz_loadu_epi32(some, from), _mm512_maskz_loadu_epi32(some, next),
              _mm512_set1_epi32(WeightPair(weights + j)), sums);
    }
    _mm512_mask_storeu_epi32(column.to + x, some, Packed(sums, shift));
  }
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

const ResizeKernels& Avx512Kernels() {
#if defined(__x86_64__)
  static constexpr ResizeKernels kKernels = {AcrossAvx512, DownAvx512};
  return kKernels;
#else
  return PortableKernels();
#endif
}

const ResizeKernels& BestKernels() {
  if (base::HasAvx512()) return Avx512Kernels();
  return base::HasAvx2() ? Avx2Kernels() : PortableKernels();
}

}  // namespace ltml::image
