#include "worker/train/evaluate.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "common/base/status_macros.h"
#include "worker/model/torch_status.h"
#include "worker/train/device_mark.h"

namespace ltml::train {
namespace {

class Scorer {
 public:
  Scorer(model::Network& network, EvaluationSource& source, int classes, bool flip,
         std::chrono::nanoseconds batch_limit)
      : network_(network), source_(source), classes_(classes), flip_(flip), limit_(batch_limit) {
    scores_NK_.resize(static_cast<size_t>(source.images() * classes));
  }

  int64_t batches() const { return (source_.images() + source_.batch() - 1) / source_.batch(); }

  // Writes the rows of one batch.
  absl::Status Run(int64_t number) {
    LTML_ASSIGN_OR_RETURN(const EvaluationBatch* batch, source_.Load(number, limit_));
    return model::CatchTorch([&]() -> absl::Status {
      const at::NoGradGuard no_grad;
      LTML_ASSIGN_OR_RETURN(const at::Tensor x_B3HW, TensorOf(*batch));
      const at::Tensor scores_BK = Probabilities(x_B3HW);
      LTML_RETURN_IF_ERROR(AwaitDevice(scores_BK.device(), "a batch of the evaluation", limit_));
      const at::Tensor p_BK = scores_BK.to(at::kCPU, at::kFloat).contiguous();
      std::copy_n(p_BK.const_data_ptr<float>(), batch->images * classes_,
                  scores_NK_.begin() + batch->first_image * classes_);
      return absl::OkStatus();
    });
  }

  std::vector<float>& scores_NK() { return scores_NK_; }

 private:
  absl::StatusOr<at::Tensor> TensorOf(const EvaluationBatch& batch) const {
    const int64_t values = std::ssize(batch.pixels_B3HW);
    const int64_t rows = source_.batch();
    const int64_t pixels = values / (3 * rows);
    const int64_t size = std::llround(std::sqrt(static_cast<double>(pixels)));
    if (size < 1 || values != rows * 3 * size * size || batch.images > rows ||
        batch.first_image < 0 || batch.first_image + batch.images > source_.images()) {
      return absl::InternalError(fmt::format(
          "evaluation batch of the images [{}, {}) of {} has {} pixel values for {} rows",
          batch.first_image, batch.first_image + batch.images, source_.images(), values, rows));
    }
    const at::TensorOptions options = network_.parameters().front().tensor.options();
    // Torch has no view of constants; nothing writes to this one.
    return at::from_blob(const_cast<float*>(batch.pixels_B3HW.data()), {rows, 3, size, size},
                         at::kFloat)
        .to(options);
  }

  at::Tensor Probabilities(const at::Tensor& x_B3HW) {
    at::Tensor p_BK = network_.Predict(x_B3HW);
    if (flip_) p_BK = (p_BK + network_.Predict(x_B3HW.flip({3}))) / 2;
    TORCH_CHECK(p_BK.size(1) == classes_, "the network has ", p_BK.size(1), " classes, not ",
                classes_);
    return p_BK;
  }

  model::Network& network_;
  EvaluationSource& source_;
  const int64_t classes_;
  const bool flip_;
  const std::chrono::nanoseconds limit_;
  std::vector<float> scores_NK_;
};

// One small sum a round: rank 0's wish to stop, and a slot a rank for 'my batch failed'.
absl::Status Agree(const absl::Status& own, Collective& collective, Monitor& monitor,
                   std::chrono::nanoseconds limit) {
  const int rank = collective.rank();
  std::vector<int64_t> word(static_cast<size_t>(collective.world_size()) + 1);
  word[0] = rank == 0 && monitor.Poll() == Command::kStop ? 1 : 0;
  word[rank + 1] = own.ok() ? 0 : 1;
  const absl::Status sum = collective.AllReduceSum(BufferOf(std::span<int64_t>(word)), limit);
  LTML_RETURN_IF_ERROR(own);
  LTML_RETURN_IF_ERROR(sum);
  const auto failed = std::find(word.begin() + 1, word.end(), 1);
  if (failed != word.end()) {
    return absl::AbortedError(
        fmt::format("rank {} could not evaluate its batch; its own message "
                    "says why",
                    failed - word.begin() - 1));
  }
  return word[0] == 0 ? absl::OkStatus() : absl::CancelledError("stopped during an evaluation");
}

}  // namespace

absl::StatusOr<std::vector<float>> Score(model::Network& network, EvaluationSource& source,
                                         int classes, bool flip, Collective& collective,
                                         Monitor& monitor, std::chrono::nanoseconds batch_limit,
                                         int64_t step) {
  Scorer scorer(network, source, classes, flip, batch_limit);
  const int64_t world = collective.world_size();
  for (int64_t first = 0; first < scorer.batches(); first += world) {
    monitor.Progress(Phase::kEvaluation, first, step);
    const int64_t mine = first + collective.rank();
    const absl::Status own = mine < scorer.batches() ? scorer.Run(mine) : absl::OkStatus();
    LTML_RETURN_IF_ERROR(Agree(own, collective, monitor, batch_limit));
  }
  // Every row is zero on all ranks but one, so the sum is that row, bit for bit.
  LTML_RETURN_IF_ERROR(
      collective.AllReduceSum(BufferOf(std::span<float>(scorer.scores_NK())), batch_limit));
  monitor.Progress(Phase::kEvaluation, scorer.batches(), step);
  return std::move(scorer.scores_NK());
}

}  // namespace ltml::train
