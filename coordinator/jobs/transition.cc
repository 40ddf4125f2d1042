#include "coordinator/jobs/transition.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace ltml::jobs {
namespace {

constexpr v1::JobState kNone = v1::JOB_STATE_UNSPECIFIED;
constexpr v1::JobState kQueued = v1::JOB_STATE_QUEUED;
constexpr v1::JobState kStarting = v1::JOB_STATE_STARTING;
constexpr v1::JobState kRunning = v1::JOB_STATE_RUNNING;
constexpr v1::JobState kStopping = v1::JOB_STATE_STOPPING;
constexpr v1::JobState kRecovering = v1::JOB_STATE_RECOVERING;
constexpr v1::JobState kPaused = v1::JOB_STATE_PAUSED;
constexpr v1::JobState kPreempted = v1::JOB_STATE_PREEMPTED;
constexpr v1::JobState kSucceeded = v1::JOB_STATE_SUCCEEDED;
constexpr v1::JobState kFailed = v1::JOB_STATE_FAILED;
constexpr v1::JobState kCancelled = v1::JOB_STATE_CANCELLED;

using Next = std::optional<JobPhase>;

Next FromWaiting(v1::JobState state, v1::JobTrigger trigger) {
  switch (trigger) {
    case v1::JOB_TRIGGER_PLACE:
      return JobPhase{kStarting};
    case v1::JOB_TRIGGER_EXPIRE:
      return state == kQueued ? Next(JobPhase{kFailed}) : std::nullopt;
    case v1::JOB_TRIGGER_FAIL:
      return state == kRecovering ? Next(JobPhase{kFailed}) : std::nullopt;
    case v1::JOB_TRIGGER_CANCEL:
      return JobPhase{kCancelled};
    case v1::JOB_TRIGGER_PAUSE:
      return JobPhase{kPaused};
    default:
      return std::nullopt;
  }
}

Next FromActive(v1::JobState state, v1::JobTrigger trigger) {
  switch (trigger) {
    case v1::JOB_TRIGGER_CONNECT:
      return state == kStarting ? Next(JobPhase{kRunning}) : std::nullopt;
    case v1::JOB_TRIGGER_FINISH:
      return JobPhase{kSucceeded};
    case v1::JOB_TRIGGER_RETRY:
      return JobPhase{kRecovering};
    case v1::JOB_TRIGGER_FAIL:
      return JobPhase{kFailed};
    case v1::JOB_TRIGGER_CANCEL:
      return JobPhase{kStopping, kCancelled};
    case v1::JOB_TRIGGER_PAUSE:
      return JobPhase{kStopping, kPaused};
    case v1::JOB_TRIGGER_PREEMPT:
      return JobPhase{kStopping, kPreempted};
    default:
      return std::nullopt;
  }
}

Next FromStopping(v1::JobState goal, v1::JobTrigger trigger) {
  switch (trigger) {
    case v1::JOB_TRIGGER_FINISH:
      return JobPhase{kSucceeded};
    case v1::JOB_TRIGGER_STOPPED:
    case v1::JOB_TRIGGER_RETRY:
      return JobPhase{goal};
    case v1::JOB_TRIGGER_FAIL:
      return JobPhase{goal == kCancelled ? goal : kFailed};
    case v1::JOB_TRIGGER_CANCEL:
      return JobPhase{kStopping, kCancelled};
    case v1::JOB_TRIGGER_PAUSE:
      return goal == kPreempted ? Next(JobPhase{kStopping, kPaused}) : std::nullopt;
    case v1::JOB_TRIGGER_RESUME:
      return goal == kPaused ? Next(JobPhase{kStopping, kPreempted}) : std::nullopt;
    default:
      return std::nullopt;
  }
}

Next FromSuspended(v1::JobState state, v1::JobTrigger trigger) {
  switch (trigger) {
    case v1::JOB_TRIGGER_RESUME:
      return JobPhase{kQueued};
    case v1::JOB_TRIGGER_CANCEL:
      return JobPhase{kCancelled};
    case v1::JOB_TRIGGER_PAUSE:
      return state == kPreempted ? Next(JobPhase{kPaused}) : std::nullopt;
    default:
      return std::nullopt;
  }
}

bool IsGoal(v1::JobState state) {
  return state == kCancelled || state == kPaused || state == kPreempted;
}

Next Follow(const JobPhase& from, v1::JobTrigger trigger) {
  const bool has_goal = from.stop_goal != kNone;
  if (has_goal != (from.state == kStopping) || (has_goal && !IsGoal(from.stop_goal))) return {};
  switch (from.state) {
    case kNone:
      return trigger == v1::JOB_TRIGGER_SUBMIT ? Next(JobPhase{kQueued}) : std::nullopt;
    case kQueued:
    case kRecovering:
      return FromWaiting(from.state, trigger);
    case kStarting:
    case kRunning:
      return FromActive(from.state, trigger);
    case kStopping:
      return FromStopping(from.stop_goal, trigger);
    case kPaused:
    case kPreempted:
      return FromSuspended(from.state, trigger);
    default:
      return std::nullopt;
  }
}

std::string WithoutPrefix(const std::string& name, std::string_view prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

std::string PhaseName(const JobPhase& phase) {
  if (phase.stop_goal == kNone) return StateName(phase.state);
  return fmt::format("{} to {}", StateName(phase.state), StateName(phase.stop_goal));
}

}  // namespace

absl::StatusOr<JobPhase> Transition(const JobPhase& from, v1::JobTrigger trigger) {
  if (const Next next = Follow(from, trigger)) return *next;
  return absl::FailedPreconditionError(
      fmt::format("a job that is {} takes no {}", PhaseName(from), TriggerName(trigger)));
}

bool IsTerminal(v1::JobState state) {
  return state == kSucceeded || state == kFailed || state == kCancelled;
}

bool HoldsSlots(v1::JobState state) {
  return state == kStarting || state == kRunning || state == kStopping;
}

bool Waits(v1::JobState state) { return state == kQueued || state == kRecovering; }

std::string StateName(v1::JobState state) {
  return WithoutPrefix(v1::JobState_Name(state), "JOB_STATE_");
}

std::string TriggerName(v1::JobTrigger trigger) {
  return WithoutPrefix(v1::JobTrigger_Name(trigger), "JOB_TRIGGER_");
}

}  // namespace ltml::jobs
