#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "ltml/v1/worker_service.pb.h"
#include "worker/session/session.h"
#include "worker/train/grant_source.h"

namespace ltml::session {

v1::Phase ToProto(train::Phase phase);
v1::StepMetrics ToProto(const train::StepReport& report);
// An empty message of this attempt.
v1::WorkerMessage MessageOf(const SessionOptions& options);
// With this process's id and host.
v1::WorkerMessage HelloMessage(const SessionOptions& options);
v1::WorkerMessage ReportMessage(const SessionOptions& options, int64_t window,
                                const statistics::WindowSums& sums);
// InvalidArgument as in common/statistics/convert.h.
absl::StatusOr<train::Grant> FromProto(const v1::Grant& grant, int classes);

}  // namespace ltml::session
