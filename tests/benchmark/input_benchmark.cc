#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "common/image/decoder.h"
#include "common/image/resizer.h"
#include "common/metrics/average_precision.h"
#include "worker/data/render.h"

namespace ltml {
namespace {

// Waves, edges and grain: about as many bits a pixel as a photograph at this quality.
image::Image Picture(int width, int height) {
  image::Image picture{width, height, {}};
  uint32_t grain = 1;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      grain = grain * 1664525 + 1013904223;
      const double wave = 60 * std::sin(0.05 * x + 0.02 * y) + 40 * std::sin(0.11 * y);
      const double edge = (x / 37 + y / 53) % 2 == 0 ? 20 : -20;
      for (int c = 0; c < 3; ++c) {
        const double value = 128 + wave + edge * (c + 1) / 2 + static_cast<double>(grain >> 28);
        picture.rgb.push_back(static_cast<uint8_t>(value));
      }
    }
  }
  return picture;
}

// Items are pictures of 500 x 375; the box is all of it, or its middle.
void DecodeJpeg(benchmark::State& state, image::Box box) {
  const auto file = image::EncodeJpeg(Picture(500, 375), 89);
  image::Decoder decoder;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.Open(*file).ok() && decoder.Read(box, 1).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(DecodeJpeg, whole, image::Box{0, 0, 500, 375});
BENCHMARK_CAPTURE(DecodeJpeg, middle, image::Box{125, 94, 375, 281});

// A picture as the quick-start set has them, which the cache saves decoding.
void DecodeSmallJpeg(benchmark::State& state) {
  const auto file = image::EncodeJpeg(Picture(96, 96), 90);
  image::Decoder decoder;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.Open(*file).ok() && decoder.Read({0, 0, 96, 96}, 1).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(DecodeSmallJpeg);

// A picture of 2000 x 1500 at 1 / scale.
void DecodeLargeJpeg(benchmark::State& state) {
  const auto file = image::EncodeJpeg(Picture(2000, 1500), 89);
  image::Decoder decoder;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        decoder.Open(*file).ok() &&
        decoder.Read({0, 0, 2000, 1500}, static_cast<int>(state.range(0))).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(DecodeLargeJpeg)->Arg(1)->Arg(2)->Arg(4)->Arg(8);

// A crop of range(0) pixels to 224 x 224.
void Resize(benchmark::State& state) {
  const image::Image picture = Picture(500, 375);
  const auto side = static_cast<double>(state.range(0));
  image::Resizer resizer;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        resizer.Resize(*ViewOf(picture), {{10, 5, 10 + side, 5 + side}, 224, 224, {0, 0, 224, 224}})
            .ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(Resize)->Arg(100)->Arg(224)->Arg(370);

// 224 x 224 pixels through all three jitters.
void ToTensor(benchmark::State& state, data::Layout layout) {
  const std::vector<uint32_t> pixels(224 * 224, 0x804020);
  std::vector<float> values(3 * pixels.size());
  const std::vector<data::JitterStep> jitter = {{data::Jitter::kBrightness, 1.2f},
                                                {data::Jitter::kContrast, 0.8f},
                                                {data::Jitter::kSaturation, 1.1f}};
  for (auto _ : state) {
    data::ToTensor(pixels, jitter, layout, values);
    benchmark::DoNotOptimize(values.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(ToTensor, planes, data::Layout::kPlanes);
BENCHMARK_CAPTURE(ToTensor, interleaved, data::Layout::kInterleaved);

// A kept picture of range(0) pixels to a training image of range(1).
void RenderKept(benchmark::State& state) {
  const auto side = static_cast<int>(state.range(0)), size = static_cast<int>(state.range(1));
  const image::Image picture = Picture(side, side);
  data::Renderer renderer(size, data::Layout::kPlanes);
  std::vector<float> values(size_t{3} * size * size);
  int64_t position = 0;
  for (auto _ : state) {
    data::PositionRandom random(1, 0, position++);
    const auto augmentation = data::DrawAugmentation({}, side, side, random);
    benchmark::DoNotOptimize(
        renderer.Training({*ViewOf(picture), 0, 0}, 1, augmentation, values).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RenderKept)->Args({96, 64})->Args({400, 224});

// Items are scores: 10,000 images x 100 classes on one thread.
void MeanAveragePrecision(benchmark::State& state) {
  constexpr int kClasses = 100;
  std::vector<float> scores(10'000 * kClasses);
  std::vector<uint8_t> labels(scores.size());
  uint32_t random = 1;
  for (size_t i = 0; i < scores.size(); ++i) {
    random = random * 1664525 + 1013904223;
    scores[i] = static_cast<float>(random >> 8) * 0x1p-24f;
    labels[i] = random % 61 == 0 ? 1 : 0;
  }
  const std::vector<int64_t> counts(kClasses, 100);
  for (auto _ : state) {
    benchmark::DoNotOptimize(metrics::Evaluate(scores, labels, kClasses, counts).ok());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(scores.size()));
}
BENCHMARK(MeanAveragePrecision);

}  // namespace
}  // namespace ltml
