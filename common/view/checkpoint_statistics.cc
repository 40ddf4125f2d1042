#include "common/view/checkpoint_statistics.h"

#include "common/base/status_macros.h"
#include "common/statistics/convert.h"

namespace ltml::view {
namespace {

statistics::Form FormOf(const v1::Loss& loss) {
  return loss.statistics_form() == v1::Loss::STATISTICS_FORM_ABSOLUTE ? statistics::Form::kAbsolute
                                                                      : statistics::Form::kRelative;
}

}  // namespace

absl::StatusOr<v1::ClassStatistics> StatisticsOf(const v1::CheckpointState& state) {
  const int classes = state.classes_size();
  const v1::StatisticsState& open = state.statistics();
  LTML_ASSIGN_OR_RETURN(auto totals, statistics::FromProto(open.totals_in_force(), classes));
  LTML_ASSIGN_OR_RETURN(const auto previous,
                        statistics::FromProto(open.previous_window(), classes));
  LTML_ASSIGN_OR_RETURN(const auto current, statistics::FromProto(open.open_window(), classes));
  const v1::Loss& loss = state.job().loss();
  totals.Fold(previous, loss.statistics_decay());
  v1::ClassStatistics statistics;
  if (loss.compensation() == v1::Loss::COMPENSATION_STATISTICS) {
    *statistics.mutable_compensation() =
        statistics::ToProto(statistics::Compensate(totals, loss.statistics_prior(), FormOf(loss)));
  }
  totals.Fold(current, loss.statistics_decay());
  statistics::FillPositives(totals, statistics);
  return statistics;
}

}  // namespace ltml::view
