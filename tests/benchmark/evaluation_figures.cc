// Exact mean average precision of made-up scores: evaluation_figures IMAGES CLASSES THREADS.
// peers/evaluation.py makes the same scores and labels.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "common/metrics/average_precision.h"
#include "common/sampling/mixer.h"
#include "tests/benchmark/process.h"

namespace ltml {
namespace {

// Class k is on a share 1 / (k + 2) of the images, at least ten; scores are 24 random bits.
struct Set {
  std::vector<float> scores_NK;
  std::vector<uint8_t> labels_NK;
};

Set MakeSet(int64_t images, int classes) {
  Set set;
  set.scores_NK.resize(images * classes);
  set.labels_NK.resize(images * classes);
  for (int64_t i = 0; i < images * classes; ++i) {
    const uint64_t random = sampling::Mix(static_cast<uint64_t>(i));
    const int64_t one_in = std::min<int64_t>(i % classes + 2, images / 10);
    set.scores_NK[i] = static_cast<float>(random >> 40) * 0x1p-24f;
    set.labels_NK[i] = (random & 0xFFFFFFFF) % static_cast<uint64_t>(one_in) == 0;
  }
  return set;
}

int Main(int64_t images, int classes, int threads) {
  const Set set = MakeSet(images, classes);
  const std::vector<int64_t> train_counts(classes, 100);
  absl::StatusOr<metrics::Evaluation> evaluation;
  const benchmark::Cost cost = benchmark::Measure([&] {
    evaluation = metrics::Evaluate(set.scores_NK, set.labels_NK, classes, train_counts, threads);
  });
  if (!evaluation.ok()) return 1;
  fmt::print("{{\"seconds\": {}, \"memory_mb\": {}, \"mean_average_precision\": {}}}\n",
             cost.seconds, static_cast<double>(cost.memory_bytes) / 1e6, *evaluation->mean.total);
  return 0;
}

}  // namespace
}  // namespace ltml

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: evaluation_figures IMAGES CLASSES THREADS\n", stderr);
    return 2;
  }
  return ltml::Main(std::atoll(argv[1]), std::atoi(argv[2]), std::atoi(argv[3]));
}
