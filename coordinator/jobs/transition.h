#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::jobs {

// Where a job stands.  `stop_goal` is set while STOPPING alone: CANCELLED, PAUSED or PREEMPTED.
struct JobPhase {
  v1::JobState state = v1::JOB_STATE_UNSPECIFIED;
  v1::JobState stop_goal = v1::JOB_STATE_UNSPECIFIED;
  friend bool operator==(const JobPhase&, const JobPhase&) = default;
};

// The table of docs/operations.md, the only place that says how jobs move:
//
//   from                   trigger     to
//   (none)                 SUBMIT      QUEUED
//   QUEUED, RECOVERING     PLACE       STARTING
//   QUEUED                 EXPIRE      FAILED
//   QUEUED, RECOVERING     CANCEL      CANCELLED
//   QUEUED, RECOVERING     PAUSE       PAUSED
//   RECOVERING             FAIL        FAILED
//   STARTING               CONNECT     RUNNING
//   STARTING, RUNNING      FINISH      SUCCEEDED
//   STARTING, RUNNING      RETRY       RECOVERING
//   STARTING, RUNNING      FAIL        FAILED
//   STARTING, RUNNING      CANCEL      STOPPING, goal CANCELLED
//   STARTING, RUNNING      PAUSE       STOPPING, goal PAUSED
//   STARTING, RUNNING      PREEMPT     STOPPING, goal PREEMPTED
//   STOPPING               FINISH      SUCCEEDED
//   STOPPING               STOPPED     its goal
//   STOPPING               RETRY       its goal
//   STOPPING               FAIL        FAILED, with goal CANCELLED its goal
//   STOPPING               CANCEL      STOPPING, goal CANCELLED
//   STOPPING to PREEMPTED  PAUSE       STOPPING, goal PAUSED
//   STOPPING to PAUSED     RESUME      STOPPING, goal PREEMPTED
//   PAUSED, PREEMPTED      RESUME      QUEUED
//   PAUSED, PREEMPTED      CANCEL      CANCELLED
//   PREEMPTED              PAUSE       PAUSED
//
// Everything else is FailedPrecondition with both names.  Pure.
absl::StatusOr<JobPhase> Transition(const JobPhase& from, v1::JobTrigger trigger);

// SUCCEEDED, FAILED, CANCELLED: nothing follows.
bool IsTerminal(v1::JobState state);
// STARTING, RUNNING, STOPPING: an attempt holds slots.
bool HoldsSlots(v1::JobState state);
// QUEUED, RECOVERING: may be placed.
bool Waits(v1::JobState state);

// "QUEUED" for JOB_STATE_QUEUED, and so on.
std::string StateName(v1::JobState state);
std::string TriggerName(v1::JobTrigger trigger);

}  // namespace ltml::jobs
