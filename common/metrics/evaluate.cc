#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "common/base/parallel.h"
#include "common/metrics/average_precision.h"
#include "common/metrics/ranking.h"

namespace ltml::metrics {
namespace {

// Classes that a thread takes at a time: two cache lines of each image's scores.
constexpr int kBlock = 32;
constexpr int kRowsAhead = 4;

struct Matrix {
  std::span<const float> scores_NK;
  std::span<const uint8_t> labels_NK;
  int classes = 0;

  size_t images() const { return scores_NK.size() / static_cast<size_t>(classes); }
};

absl::Status CheckShapes(const Matrix& matrix, size_t train_counts) {
  const size_t scores = matrix.scores_NK.size(), labels = matrix.labels_NK.size();
  const int classes = matrix.classes;
  if (classes < 1 || scores != labels || scores % static_cast<size_t>(classes) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation: {} scores and {} labels for {} classes, expected images x classes "
                    "of both",
                    scores, labels, classes));
  }
  if (train_counts != static_cast<size_t>(classes)) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation: {} training counts for {} classes, expected one a class",
                    train_counts, classes));
  }
  return absl::OkStatus();
}

// One thread's work and memory: the keys of one block of classes.
class BlockRanker {
 public:
  explicit BlockRanker(const Matrix& matrix)
      : matrix_(matrix),
        keys_(matrix.images() * std::min(kBlock, matrix.classes)),
        scratch_(matrix.images()) {}

  // Average precision and positives of the classes from `first` on, kBlock of them at most.
  void Rank(int first, Evaluation& evaluation) {
    const int count = std::min(kBlock, matrix_.classes - first);
    Load(first, count);
    for (int c = 0; c < count; ++c) {
      const auto positives = static_cast<int64_t>(classes_[c].positives().size());
      evaluation.positives[first + c] = positives;
      if (positives == 0) continue;
      evaluation.average_precision[first + c] =
          RankedPrecision<uint32_t>(classes_[c], std::span(scratch_));
    }
  }

  // Index of the first NaN met; the largest number if there was none.
  size_t first_nan() const { return first_nan_; }

 private:
  void Load(int first, int count) {
    const size_t images = matrix_.images();
    for (int c = 0; c < count; ++c) {
      classes_[c] = Partition<uint32_t>(std::span(keys_).subspan(c * images, images));
    }
    for (size_t i = 0; i < images; ++i) {
      const size_t row = i * matrix_.classes + first;
      Prefetch(row + size_t{kRowsAhead} * matrix_.classes);
      for (int c = 0; c < count; ++c) {
        const float score = matrix_.scores_NK[row + c];
        if (std::isnan(score)) first_nan_ = std::min(first_nan_, row + c);
        classes_[c].Add(KeyOf(score), matrix_.labels_NK[row + c] != 0);
      }
    }
  }

  // Rows lie pages apart, where the processor does not foresee the next.
  void Prefetch(size_t at) const {
    if (at >= matrix_.scores_NK.size()) return;
    __builtin_prefetch(matrix_.scores_NK.data() + at);
    __builtin_prefetch(matrix_.scores_NK.data() + at + kBlock - 1);  // it may straddle two lines
    __builtin_prefetch(matrix_.labels_NK.data() + at);
  }

  const Matrix& matrix_;
  std::vector<uint32_t> keys_;
  std::vector<uint32_t> scratch_;
  std::array<Partition<uint32_t>, kBlock> classes_;
  size_t first_nan_ = std::numeric_limits<size_t>::max();
};

// Fills in all classes; the index of the first NaN as BlockRanker has it.
size_t RankClasses(const Matrix& matrix, int threads, Evaluation& evaluation) {
  std::atomic<int> next_block = 0;
  const int blocks = (matrix.classes + kBlock - 1) / kBlock;
  std::vector<size_t> first_nan(std::clamp(threads, 1, blocks));
  base::ParallelFor(std::ssize(first_nan), threads, [&](int64_t thread) {
    BlockRanker ranker(matrix);
    for (int block = next_block++; block < blocks; block = next_block++) {
      ranker.Rank(block * kBlock, evaluation);
    }
    first_nan[thread] = ranker.first_nan();
  });
  return *std::min_element(first_nan.begin(), first_nan.end());
}

GroupMeans Chance(const Evaluation& evaluation, size_t images,
                  std::span<const int64_t> train_counts) {
  std::vector<std::optional<double>> chance;
  for (const int64_t positives : evaluation.positives) {
    chance.push_back(positives == 0 ? std::optional<double>()
                                    : static_cast<double>(positives) / static_cast<double>(images));
  }
  return MeanAveragePrecision(chance, train_counts);
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(std::span<const float> scores_NK,
                                    std::span<const uint8_t> labels_NK, int classes,
                                    std::span<const int64_t> train_counts, int threads) {
  const Matrix matrix{scores_NK, labels_NK, classes};
  const absl::Status shapes = CheckShapes(matrix, train_counts.size());
  if (!shapes.ok()) return shapes;
  Evaluation evaluation;
  evaluation.average_precision.resize(classes);
  evaluation.positives.resize(classes);
  const size_t nan = RankClasses(matrix, threads, evaluation);
  if (nan < scores_NK.size()) {
    return absl::InvalidArgumentError(
        fmt::format("evaluation: the score at index {} (image {}, class {}) is NaN", nan,
                    nan / static_cast<size_t>(classes), nan % static_cast<size_t>(classes)));
  }
  evaluation.mean = MeanAveragePrecision(evaluation.average_precision, train_counts);
  evaluation.chance = Chance(evaluation, matrix.images(), train_counts);
  return evaluation;
}

}  // namespace ltml::metrics
