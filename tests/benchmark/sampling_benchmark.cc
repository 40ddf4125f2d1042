#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "common/sampling/streams.h"
#include "common/statistics/statistics.h"

namespace ltml {
namespace {

// Draws one at a time, as the loader asks for them.
void UniformImageAt(benchmark::State& state) {
  const sampling::UniformStream stream(1, state.range(0));
  int64_t position = 12'345;
  for (auto _ : state) benchmark::DoNotOptimize(stream.ImageAt(position++));
  state.SetItemsProcessed(state.iterations());
}

void UniformImagesAt(benchmark::State& state) {
  const sampling::UniformStream stream(1, state.range(0));
  std::vector<int64_t> images(4096);
  int64_t position = 12'345;
  for (auto _ : state) {
    stream.ImagesAt(position, images);
    benchmark::DoNotOptimize(images.data());
    position += static_cast<int64_t>(images.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(images.size()));
}

// 80 classes of 5 to 1,190 images.
void RebalancedImagesAt(benchmark::State& state) {
  std::vector<std::vector<int32_t>> labels;
  for (int32_t k = 0; k < 80; ++k) labels.insert(labels.end(), 5 + 15 * k, {k});
  const sampling::ClassLists lists = sampling::MakeClassLists(
      static_cast<int64_t>(labels.size()), 80, [&](int64_t i) -> const auto& { return labels[i]; });
  const auto stream = sampling::RebalancedStream::Create(1, lists);
  std::vector<int64_t> images(4096);
  int64_t position = 0;
  for (auto _ : state) {
    stream->ImagesAt(position, images);
    benchmark::DoNotOptimize(images.data());
    position += static_cast<int64_t>(images.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(images.size()));
}

// One step of 32 images with 80 classes: items are logits.
void StatisticsAdd(benchmark::State& state) {
  constexpr int kClasses = 80;
  std::vector<float> logits(32 * kClasses), labels(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = static_cast<float>(i % 97) / 7.0f - 6.0f;
    labels[i] = i % 13 == 0 ? 1.0f : 0.0f;
  }
  statistics::WindowSums sums(kClasses);
  for (auto _ : state) {
    sums.Add(statistics::kUniform, logits, labels);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(logits.size()));
}

BENCHMARK(UniformImageAt)->Arg(1142)->Arg(1'000'000)->Arg(1'000'000'000'000)->Arg(int64_t{1} << 62);
BENCHMARK(UniformImagesAt)
    ->Arg(1142)
    ->Arg(1'000'000)
    ->Arg(1'000'000'000'000)
    ->Arg(int64_t{1} << 62);
BENCHMARK(RebalancedImagesAt);
BENCHMARK(StatisticsAdd);

}  // namespace
}  // namespace ltml
