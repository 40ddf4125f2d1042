#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/streams/attempt.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

v1::CoordinatorMessage GrantMessage(int64_t epoch, const streams::WindowGrant& grant);
v1::CoordinatorMessage RefusalMessage(int64_t epoch, const std::string& reason);
v1::CoordinatorMessage CommandMessage(int64_t epoch, const v1::Command& command);
v1::CoordinatorMessage KeepAliveMessage(int64_t epoch);
v1::CoordinatorMessage CheckpointConfirmedMessage(int64_t epoch, int64_t step);

// What all streams have delivered so far, for reports and metrics.
v1::ClassStatistics StatisticsMessage(const streams::AttemptStreams& streams);

// Parts that are absent or without classes stay without classes.  InvalidArgument as in
// common/statistics/convert.h.
absl::StatusOr<streams::Resume> ToResume(const v1::StatisticsState& state, int classes);

}  // namespace ltml::coordinator
