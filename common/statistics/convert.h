#pragma once

#include "absl/status/statusor.h"
#include "common/statistics/statistics.h"
#include "ltml/v1/statistics.pb.h"

namespace ltml::statistics {

// To and from the messages of proto/ltml/v1/statistics.proto.  Reading checks that all arrays have
// `classes` entries, that counts are not negative and numbers finite, and that integer sums are
// possible (n < 2^21, sum_q^2 <= n sum_q2): InvalidArgument says which is off.  A part whose arrays
// are all empty reads as zeros (a compensation as neutral): proto3 writes nothing for it, and a job
// with one branch has nothing to write.
v1::WindowSums ToProto(const WindowSums& sums);
v1::DecayedTotals ToProto(const DecayedTotals& totals);
v1::Compensation ToProto(const Compensation& compensation);
// The positives of each stream; of one that has delivered nothing, none.
void FillPositives(const DecayedTotals& totals, v1::ClassStatistics& statistics);
absl::StatusOr<WindowSums> FromProto(const v1::WindowSums& proto, int classes);
absl::StatusOr<DecayedTotals> FromProto(const v1::DecayedTotals& proto, int classes);
absl::StatusOr<Compensation> FromProto(const v1::Compensation& proto, int classes);

}  // namespace ltml::statistics
