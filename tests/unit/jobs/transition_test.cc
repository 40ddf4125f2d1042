#include "coordinator/jobs/transition.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ltml::jobs {
namespace {

// The twelve phases a job can be in, by name, and what each trigger makes of them, written apart
// from the code: rows of "phase: TRIGGER=phase ...".
const std::map<std::string, JobPhase>& Phases() {
  static const auto& phases = *new std::map<std::string, JobPhase>{
      {"none", {}},
      {"queued", {v1::JOB_STATE_QUEUED}},
      {"starting", {v1::JOB_STATE_STARTING}},
      {"running", {v1::JOB_STATE_RUNNING}},
      {"cancelling", {v1::JOB_STATE_STOPPING, v1::JOB_STATE_CANCELLED}},
      {"pausing", {v1::JOB_STATE_STOPPING, v1::JOB_STATE_PAUSED}},
      {"preempting", {v1::JOB_STATE_STOPPING, v1::JOB_STATE_PREEMPTED}},
      {"recovering", {v1::JOB_STATE_RECOVERING}},
      {"paused", {v1::JOB_STATE_PAUSED}},
      {"preempted", {v1::JOB_STATE_PREEMPTED}},
      {"succeeded", {v1::JOB_STATE_SUCCEEDED}},
      {"failed", {v1::JOB_STATE_FAILED}},
      {"cancelled", {v1::JOB_STATE_CANCELLED}}};
  return phases;
}

// Columns: SUBMIT PLACE CONNECT FINISH STOPPED RETRY FAIL EXPIRE CANCEL PAUSE PREEMPT RESUME
constexpr int kTriggers = 12;
const std::map<std::string, std::array<const char*, kTriggers>>& Table() {
  static const auto& table = *new std::map<std::string, std::array<const char*, kTriggers>>{
      // clang-format off
      {"none",       {"queued", "", "", "", "", "", "", "", "", "", "", ""}},
      {"queued",     {"", "starting", "", "", "", "", "", "failed", "cancelled", "paused", "", ""}},
      {"starting",   {"", "", "running", "succeeded", "", "recovering", "failed", "",
                      "cancelling", "pausing", "preempting", ""}},
      {"running",    {"", "", "", "succeeded", "", "recovering", "failed", "",
                      "cancelling", "pausing", "preempting", ""}},
      {"cancelling", {"", "", "", "succeeded", "cancelled", "cancelled", "cancelled", "",
                      "cancelling", "", "", ""}},
      {"pausing",    {"", "", "", "succeeded", "paused", "paused", "failed", "",
                      "cancelling", "", "", "preempting"}},
      {"preempting", {"", "", "", "succeeded", "preempted", "preempted", "failed", "",
                      "cancelling", "pausing", "", ""}},
      {"recovering", {"", "starting", "", "", "", "", "failed", "", "cancelled", "paused", "", ""}},
      {"paused",     {"", "", "", "", "", "", "", "", "cancelled", "", "", "queued"}},
      {"preempted",  {"", "", "", "", "", "", "", "", "cancelled", "paused", "", "queued"}},
      {"succeeded",  {"", "", "", "", "", "", "", "", "", "", "", ""}},
      {"failed",     {"", "", "", "", "", "", "", "", "", "", "", ""}},
      {"cancelled",  {"", "", "", "", "", "", "", "", "", "", "", ""}},
      // clang-format on
  };
  return table;
}

TEST(Transition, FollowsTheTableForEveryPhaseAndTrigger) {
  ASSERT_EQ(v1::JobTrigger_MAX, kTriggers);
  ASSERT_EQ(Table().size(), Phases().size());
  for (const auto& [name, phase] : Phases()) {
    for (int number = 1; number <= kTriggers; ++number) {
      const auto trigger = static_cast<v1::JobTrigger>(number);
      const std::string expected = Table().at(name)[number - 1];
      const auto got = Transition(phase, trigger);
      SCOPED_TRACE(name + " " + TriggerName(trigger));
      if (expected.empty()) {
        EXPECT_EQ(got.status().code(), absl::StatusCode::kFailedPrecondition);
      } else {
        ASSERT_TRUE(got.ok()) << got.status();
        EXPECT_EQ(*got, Phases().at(expected));
      }
    }
  }
}

TEST(Transition, RefusesPhasesThatNoJobCanBeIn) {
  for (int state = 0; state <= v1::JobState_MAX; ++state) {
    for (int goal = 0; goal <= v1::JobState_MAX; ++goal) {
      const JobPhase phase{static_cast<v1::JobState>(state), static_cast<v1::JobState>(goal)};
      bool known = false;
      for (const auto& entry : Phases()) known = known || entry.second == phase;
      if (known) continue;
      for (int trigger = 0; trigger <= kTriggers; ++trigger) {
        EXPECT_FALSE(Transition(phase, static_cast<v1::JobTrigger>(trigger)).ok());
      }
    }
  }
}

TEST(Transition, NoTriggerIsNone) {
  for (const auto& [name, phase] : Phases()) {
    EXPECT_FALSE(Transition(phase, v1::JOB_TRIGGER_UNSPECIFIED).ok()) << name;
  }
}

TEST(Transition, NamesBothInTheError) {
  const auto status =
      Transition({v1::JOB_STATE_STOPPING, v1::JOB_STATE_CANCELLED}, v1::JOB_TRIGGER_PAUSE).status();
  EXPECT_EQ(status.message(), "a job that is STOPPING to CANCELLED takes no PAUSE");
}

TEST(Transition, EveryStateIsOfOneKindAndEndedOnesTakeNothing) {
  for (int number = 1; number <= v1::JobState_MAX; ++number) {
    const auto state = static_cast<v1::JobState>(number);
    const bool suspended = state == v1::JOB_STATE_PAUSED || state == v1::JOB_STATE_PREEMPTED;
    EXPECT_EQ(IsTerminal(state) + HoldsSlots(state) + Waits(state) + suspended, 1)
        << StateName(state);
  }
}

}  // namespace
}  // namespace ltml::jobs
