#include "worker/data/to_tensor.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <utility>

#include "common/base/cpu.h"

namespace ltml::data {
namespace {

constexpr std::array<float, 3> kGrey = {0.299f, 0.587f, 0.114f};
constexpr std::array<double, 3> kMean = {0.485, 0.456, 0.406};
constexpr std::array<double, 3> kStd = {0.229, 0.224, 0.225};

// Pixels worked on at a time.
constexpr size_t kBlock = 16;
constexpr size_t kSummed = 256;  // pixels summed in float32

// Vectors of V numbers, no wider than the processor's: g++ compares wider ones number by number.
template <size_t V>
struct VectorOf {
  typedef float Floats __attribute__((vector_size(4 * V)));
  typedef int32_t Ints __attribute__((vector_size(4 * V)));
};

// One number for each pixel of a block.
template <size_t V>
struct Numbers {
  using Vector = typename VectorOf<V>::Floats;
  Vector parts[kBlock / V];
};

template <size_t V>
struct Block {
  Numbers<V> channels[3];
};

// What is left of a step when the mean is known: factor v + grey_factor grey + constant.
struct Blend {
  float factor = 1;
  float grey_factor = 0;
  float constant = 0;
};
struct Blends {
  std::array<Blend, 3> steps;
  int count = 0;
};

template <size_t V>
LTML_KERNEL Block<V> Unpack(const uint32_t* pixels) {
  using Ints = typename VectorOf<V>::Ints;
  using Floats = typename VectorOf<V>::Floats;
  Block<V> block;
  for (size_t j = 0; j < kBlock / V; ++j) {
    Ints pixel;
    std::memcpy(&pixel, pixels + j * V, sizeof pixel);
    block.channels[0].parts[j] = __builtin_convertvector(pixel & 255, Floats);
    block.channels[1].parts[j] = __builtin_convertvector(pixel >> 8 & 255, Floats);
    block.channels[2].parts[j] = __builtin_convertvector(pixel >> 16 & 255, Floats);
  }
  return block;
}

template <size_t V>
LTML_KERNEL Numbers<V> GreyOf(const Block<V>& block) {
  const auto& [red, green, blue] = block.channels;
  Numbers<V> grey;
  for (size_t j = 0; j < kBlock / V; ++j) {
    grey.parts[j] = kGrey[0] * red.parts[j] + kGrey[1] * green.parts[j] + kGrey[2] * blue.parts[j];
  }
  return grey;
}

template <typename Vector>
LTML_KERNEL Vector Clamped(Vector value) {
  const Vector black = {}, white = black + 255.0f;
  value = value < black ? black : value;
  return value > white ? white : value;
}

template <size_t V>
LTML_KERNEL void Apply(const Blend& blend, Block<V>& block) {
  if (blend.grey_factor != 0) {
    const Numbers<V> grey = GreyOf(block);
    for (Numbers<V>& channel : block.channels) {
      for (size_t j = 0; j < kBlock / V; ++j) {
        channel.parts[j] =
            Clamped(blend.factor * channel.parts[j] + blend.grey_factor * grey.parts[j]);
      }
    }
    return;
  }
  for (Numbers<V>& channel : block.channels) {
    for (auto& part : channel.parts) part = Clamped(blend.factor * part + blend.constant);
  }
}

template <size_t V>
LTML_KERNEL void Normalise(Block<V>& block) {
  for (int c = 0; c < 3; ++c) {
    const auto scale = static_cast<float>(1 / (255 * kStd[c]));
    const auto shift = static_cast<float>(-kMean[c] / kStd[c]);
    for (auto& part : block.channels[c].parts) part = part * scale + shift;
  }
}

// The k-th V of the values R, G, B, R, G, B, ... of V pixels.
template <size_t V, size_t k, typename Vector, size_t... i>
LTML_KERNEL Vector Third(Vector red, Vector green, Vector blue, std::index_sequence<i...>) {
  const Vector mixed =
      __builtin_shufflevector(red, green, ((k * V + i) % 3 == 1 ? V : 0) + (k * V + i) / 3 ...);
  return __builtin_shufflevector(mixed, blue, ((k * V + i) % 3 == 2 ? V + (k * V + i) / 3 : i)...);
}

// to [3 kBlock]
template <size_t V>
LTML_KERNEL void Interleave(const Block<V>& block, float* to) {
  using Vector = typename VectorOf<V>::Floats;
  constexpr std::make_index_sequence<V> kAll;
  const auto& [red, green, blue] = block.channels;
  for (size_t j = 0; j < kBlock / V; ++j) {
    const Vector thirds[3] = {Third<V, 0>(red.parts[j], green.parts[j], blue.parts[j], kAll),
                              Third<V, 1>(red.parts[j], green.parts[j], blue.parts[j], kAll),
                              Third<V, 2>(red.parts[j], green.parts[j], blue.parts[j], kAll)};
    std::memcpy(to + 3 * V * j, thirds, sizeof thirds);
  }
}

// A block, or what there is of it, to places from `first` on, of `size`.
template <size_t V>
LTML_KERNEL void Store(const Block<V>& block, Layout layout, size_t first, size_t size,
                       float* values) {
  const size_t count = std::min(kBlock, size - first);
  if (layout == Layout::kInterleaved) {
    if (count == kBlock) return Interleave(block, values + 3 * first);
    float last[3 * kBlock];
    Interleave(block, last);
    std::copy_n(last, 3 * count, values + 3 * first);
    return;
  }
  for (size_t c = 0; c < 3; ++c) {
    float* to = values + c * size + first;
    if (count == kBlock) {
      std::memcpy(to, &block.channels[c], sizeof block.channels[c]);
    } else {
      std::copy_n(reinterpret_cast<const float*>(&block.channels[c]), count, to);
    }
  }
}

// The pixels from `first` on after the blends; black ones fill up the last block.
template <size_t V>
LTML_KERNEL Block<V> Load(std::span<const uint32_t> pixels, size_t first, const Blends& blends) {
  const size_t count = std::min(kBlock, pixels.size() - first);
  Block<V> block;
  if (count == kBlock) {
    block = Unpack<V>(pixels.data() + first);
  } else {
    std::array<uint32_t, kBlock> last = {};
    std::copy_n(pixels.data() + first, count, last.begin());
    block = Unpack<V>(last.data());
  }
  for (int s = 0; s < blends.count; ++s) Apply(blends.steps[s], block);
  return block;
}

// Black pixels stay black under the steps that may come before contrast, so they add nothing.
template <size_t V>
LTML_KERNEL float MeanGrey(std::span<const uint32_t> pixels, const Blends& blends) {
  double sum = 0;
  for (size_t begin = 0; begin < pixels.size(); begin += kSummed) {
    const size_t end = std::min(begin + kSummed, pixels.size());
    VectorOf<8>::Floats sums = {}, halves[2];  // whatever the width of vectors
    for (size_t first = begin; first < end; first += kBlock) {
      const Numbers<V> grey = GreyOf(Load<V>(pixels, first, blends));
      std::memcpy(halves, &grey, sizeof halves);
      sums += halves[0];
      sums += halves[1];
    }
    for (int lane = 0; lane < 8; ++lane) sum += sums[lane];
  }
  return static_cast<float>(sum / static_cast<double>(pixels.size()));
}

template <size_t V>
LTML_KERNEL Blends Resolve(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter) {
  assert(jitter.size() <= 3);
  Blends blends;
  for (const JitterStep& step : jitter) {
    if (step.factor == 1) continue;
    Blend blend{.factor = step.factor};
    if (step.kind == Jitter::kSaturation) blend.grey_factor = 1 - step.factor;
    if (step.kind == Jitter::kContrast) {
      blend.constant = (1 - step.factor) * MeanGrey<V>(pixels, blends);
    }
    blends.steps[blends.count++] = blend;
  }
  return blends;
}

template <size_t V>
LTML_KERNEL void Convert(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                         Layout layout, std::span<float> values) {
  assert(values.size() == 3 * pixels.size());
  const Blends blends = Resolve<V>(pixels, jitter);
  for (size_t first = 0; first < pixels.size(); first += kBlock) {
    Block<V> block = Load<V>(pixels, first, blends);
    Normalise(block);
    Store(block, layout, first, pixels.size(), values.data());
  }
}

}  // namespace

void ToTensorPortable(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                      Layout layout, std::span<float> values) {
  Convert<4>(pixels, jitter, layout, values);
}

LTML_AVX2 void ToTensorAvx2(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                            Layout layout, std::span<float> values) {
  Convert<8>(pixels, jitter, layout, values);
}

LTML_AVX512 void ToTensorAvx512(std::span<const uint32_t> pixels,
                                std::span<const JitterStep> jitter, Layout layout,
                                std::span<float> values) {
  Convert<16>(pixels, jitter, layout, values);
}

void ToTensor(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter, Layout layout,
              std::span<float> values) {
  if (base::HasAvx512()) return ToTensorAvx512(pixels, jitter, layout, values);
  if (base::HasAvx2()) return ToTensorAvx2(pixels, jitter, layout, values);
  ToTensorPortable(pixels, jitter, layout, values);
}

}  // namespace ltml::data
