#include "worker/data/to_tensor.h"

#include <algorithm>
#include <cassert>
#include <cstddef>

#include "common/base/cpu.h"

// Every loop has a constant length, so that the compiler turns it into vectors of either width.
namespace ltml::data {
namespace {

constexpr std::array<float, 3> kGrey = {0.299f, 0.587f, 0.114f};
constexpr std::array<double, 3> kMean = {0.485, 0.456, 0.406};
constexpr std::array<double, 3> kStd = {0.229, 0.224, 0.225};

constexpr int kChunk = 256;  // pixels worked on at a time: they stay in the nearest cache
constexpr int kLanes = 8;    // partial sums of a mean, whatever the width of vectors

struct Chunk {
  alignas(32) float channels[3][kChunk];
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

LTML_KERNEL void Unpack(const uint32_t* pixels, Chunk& chunk) {
  for (int i = 0; i < kChunk; ++i) {
    const auto pixel = static_cast<int32_t>(pixels[i]);
    chunk.channels[0][i] = static_cast<float>(pixel & 255);
    chunk.channels[1][i] = static_cast<float>(pixel >> 8 & 255);
    chunk.channels[2][i] = static_cast<float>(pixel >> 16 & 255);
  }
}

LTML_KERNEL float GreyOf(const Chunk& chunk, int i) {
  return kGrey[0] * chunk.channels[0][i] + kGrey[1] * chunk.channels[1][i] +
         kGrey[2] * chunk.channels[2][i];
}

LTML_KERNEL float Clamped(float value) { return std::min(std::max(value, 0.0f), 255.0f); }

LTML_KERNEL void Apply(const Blend& blend, Chunk& chunk) {
  if (blend.grey_factor != 0) {
    for (int i = 0; i < kChunk; ++i) {
      const float grey = blend.grey_factor * GreyOf(chunk, i);
      for (auto& channel : chunk.channels) channel[i] = Clamped(blend.factor * channel[i] + grey);
    }
    return;
  }
  for (auto& channel : chunk.channels) {
    for (int i = 0; i < kChunk; ++i) {
      channel[i] = Clamped(blend.factor * channel[i] + blend.constant);
    }
  }
}

LTML_KERNEL double SumOfGrey(const Chunk& chunk) {
  alignas(32) float sums[kLanes] = {};
  for (int i = 0; i < kChunk; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) sums[lane] += GreyOf(chunk, i + lane);
  }
  double sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

LTML_KERNEL void Normalise(Chunk& chunk) {
  for (int c = 0; c < 3; ++c) {
    const auto scale = static_cast<float>(1 / (255 * kStd[c]));
    const auto shift = static_cast<float>(-kMean[c] / kStd[c]);
    for (int i = 0; i < kChunk; ++i) chunk.channels[c][i] = chunk.channels[c][i] * scale + shift;
  }
}

// `count` pixels of a chunk to places from `first` on, of `size`.
LTML_KERNEL void Store(const Chunk& chunk, Layout layout, size_t first, size_t count, size_t size,
                       float* values) {
  if (layout == Layout::kPlanes) {
    for (size_t c = 0; c < 3; ++c) {
      std::copy_n(chunk.channels[c], count, values + c * size + first);
    }
    return;
  }
  float* to = values + 3 * first;
  for (size_t i = 0; i < count; ++i) {
    for (size_t c = 0; c < 3; ++c) to[3 * i + c] = chunk.channels[c][i];
  }
}

// The pixels from `first` on after the blends; black ones fill up the last chunk.
LTML_KERNEL size_t Load(std::span<const uint32_t> pixels, size_t first, const Blends& blends,
                        Chunk& chunk) {
  const size_t count = std::min<size_t>(kChunk, pixels.size() - first);
  if (count == kChunk) {
    Unpack(pixels.data() + first, chunk);
  } else {
    std::array<uint32_t, kChunk> last = {};
    std::copy_n(pixels.data() + first, count, last.begin());
    Unpack(last.data(), chunk);
  }
  for (int s = 0; s < blends.count; ++s) Apply(blends.steps[s], chunk);
  return count;
}

// Black pixels stay black under the steps that may come before contrast, so they add nothing.
LTML_KERNEL float MeanGrey(std::span<const uint32_t> pixels, const Blends& blends) {
  Chunk chunk;
  double sum = 0;
  for (size_t first = 0; first < pixels.size(); first += kChunk) {
    Load(pixels, first, blends, chunk);
    sum += SumOfGrey(chunk);
  }
  return static_cast<float>(sum / static_cast<double>(pixels.size()));
}

LTML_KERNEL Blends Resolve(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter) {
  assert(jitter.size() <= 3);
  Blends blends;
  for (const JitterStep& step : jitter) {
    if (step.factor == 1) continue;
    Blend blend{.factor = step.factor};
    if (step.kind == Jitter::kSaturation) blend.grey_factor = 1 - step.factor;
    if (step.kind == Jitter::kContrast) {
      blend.constant = (1 - step.factor) * MeanGrey(pixels, blends);
    }
    blends.steps[blends.count++] = blend;
  }
  return blends;
}

LTML_KERNEL void Convert(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                         Layout layout, std::span<float> values) {
  assert(values.size() == 3 * pixels.size());
  const Blends blends = Resolve(pixels, jitter);
  Chunk chunk;
  for (size_t first = 0; first < pixels.size(); first += kChunk) {
    const size_t count = Load(pixels, first, blends, chunk);
    Normalise(chunk);
    Store(chunk, layout, first, count, pixels.size(), values.data());
  }
}

}  // namespace

void ToTensorPortable(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                      Layout layout, std::span<float> values) {
  Convert(pixels, jitter, layout, values);
}

LTML_AVX2 void ToTensorAvx2(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter,
                            Layout layout, std::span<float> values) {
  Convert(pixels, jitter, layout, values);
}

void ToTensor(std::span<const uint32_t> pixels, std::span<const JitterStep> jitter, Layout layout,
              std::span<float> values) {
  if (base::HasAvx2()) return ToTensorAvx2(pixels, jitter, layout, values);
  ToTensorPortable(pixels, jitter, layout, values);
}

}  // namespace ltml::data
