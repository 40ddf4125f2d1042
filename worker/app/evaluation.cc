#include "worker/app/evaluation.h"

#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "worker/app/cause.h"
#include "worker/app/options.h"
#include "worker/train/evaluate.h"

namespace ltml::worker {

absl::StatusOr<Scores> EvaluateOn(const std::shared_ptr<const dataset::Dataset>& data,
                                  const v1::JobSpec& job, const std::vector<int64_t>& train_counts,
                                  bool flip, int64_t step, model::Network& network, Rank& rank,
                                  train::Monitor& monitor) {
  data::EvaluationOptions options = EvaluationOptionsOf(job, rank.rank(), rank.world_size());
  options.memory = rank.device.batch_memory;
  auto source = data::MakeEvaluationSource(data, options);
  if (!source.ok()) return WithCause(source.status(), v1::FAILURE_CAUSE_DATA);
  Scores result;
  LTML_ASSIGN_OR_RETURN(
      result.scores_NK,
      train::Score(network, **source, data->classes(), flip, rank.collective(), monitor,
                   base::ToNanoseconds(job.limits().evaluation()), step));
  result.labels_NK = (*source)->labels_NK();
  LTML_ASSIGN_OR_RETURN(result.evaluation,
                        metrics::Evaluate(result.scores_NK, result.labels_NK, data->classes(),
                                          train_counts, job.resources().threads_per_rank()));
  return result;
}

}  // namespace ltml::worker
