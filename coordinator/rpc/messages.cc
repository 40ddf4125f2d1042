#include "coordinator/rpc/messages.h"

#include "common/base/status_macros.h"
#include "common/statistics/convert.h"

namespace ltml::coordinator {
namespace {

v1::CoordinatorMessage Message(int64_t epoch) {
  v1::CoordinatorMessage message;
  message.set_attempt_epoch(epoch);
  return message;
}

bool Empty(const v1::WindowSums& sums) {
  return sums.uniform_positive().n().empty() && sums.uniform_negative().n().empty() &&
         sums.rebalanced_positive().n().empty() && sums.rebalanced_negative().n().empty();
}

bool Empty(const v1::DecayedTotals& totals) {
  return totals.uniform_positive().count().empty() && totals.uniform_negative().count().empty() &&
         totals.rebalanced_positive().count().empty() &&
         totals.rebalanced_negative().count().empty();
}

template <typename Proto, typename Part>
absl::Status ReadPart(const Proto& proto, int classes, Part& part) {
  if (Empty(proto)) return absl::OkStatus();
  LTML_ASSIGN_OR_RETURN(part, statistics::FromProto(proto, classes));
  return absl::OkStatus();
}

}  // namespace

v1::CoordinatorMessage GrantMessage(int64_t epoch, const streams::WindowGrant& grant) {
  v1::CoordinatorMessage message = Message(epoch);
  v1::Grant& proto = *message.mutable_grant();
  proto.set_window(grant.window);
  proto.set_first_step(grant.first_step);
  proto.set_end_step(grant.end_step);
  proto.set_version(grant.version);
  *proto.mutable_compensation() = statistics::ToProto(grant.compensation);
  *proto.mutable_totals() = statistics::ToProto(grant.totals);
  return message;
}

v1::CoordinatorMessage RefusalMessage(int64_t epoch, const std::string& reason) {
  v1::CoordinatorMessage message = Message(epoch);
  message.mutable_refusal()->set_reason(reason);
  return message;
}

v1::CoordinatorMessage CommandMessage(int64_t epoch, const v1::Command& command) {
  v1::CoordinatorMessage message = Message(epoch);
  *message.mutable_command() = command;
  return message;
}

v1::CoordinatorMessage KeepAliveMessage(int64_t epoch) {
  v1::CoordinatorMessage message = Message(epoch);
  message.mutable_keep_alive();
  return message;
}

v1::CoordinatorMessage CheckpointConfirmedMessage(int64_t epoch, int64_t step) {
  v1::CoordinatorMessage message = Message(epoch);
  message.mutable_checkpoint_confirmed()->set_step(step);
  return message;
}

v1::ClassStatistics StatisticsMessage(const streams::AttemptStreams& streams) {
  v1::ClassStatistics message;
  statistics::FillPositives(streams.latest_totals(), message);
  if (const auto compensation = streams.latest_compensation()) {
    *message.mutable_compensation() = statistics::ToProto(*compensation);
  }
  return message;
}

absl::StatusOr<streams::Resume> ToResume(const v1::StatisticsState& state, int classes) {
  streams::Resume resume;
  resume.step = state.step();
  LTML_RETURN_IF_ERROR(ReadPart(state.totals_in_force(), classes, resume.totals_in_force));
  LTML_RETURN_IF_ERROR(ReadPart(state.previous_window(), classes, resume.previous_window));
  LTML_RETURN_IF_ERROR(ReadPart(state.open_window(), classes, resume.open_window));
  return resume;
}

}  // namespace ltml::coordinator
