#include "coordinator/streams/health.h"

#include <gtest/gtest.h>

namespace ltml::streams {
namespace {

using std::chrono::seconds;

v1::Limits Limits() {
  v1::Limits limits;
  limits.mutable_start()->set_seconds(60);
  limits.mutable_lease()->set_seconds(40);
  limits.mutable_step()->set_seconds(100);
  limits.mutable_evaluation()->set_seconds(200);
  limits.mutable_checkpoint()->set_seconds(150);
  return limits;
}

constexpr Time kLaunched{seconds(1000)};

// A rank as seen `silent` and `still` seconds ago.
struct Seen {
  bool connected = true;
  bool finished = false;
  v1::Phase phase = v1::PHASE_STEP;
  int64_t counter = 10;
  int64_t step = 10;
  int silent = 1;
  int still = 1;
};

struct Case {
  const char* name;
  int now;  // seconds after the launch
  std::vector<Seen> ranks;
  v1::FailureCause cause = v1::FAILURE_CAUSE_UNSPECIFIED;  // unspecified: all is well
  int rank = -1;
  const char* text = "";
};

std::vector<RankView> Views(const Case& c) {
  std::vector<RankView> views;
  for (const Seen& seen : c.ranks) {
    RankView view;
    view.connected = seen.connected;
    view.finished = seen.finished;
    view.host = "host" + std::to_string(views.size());
    view.phase = seen.phase;
    view.counter = seen.counter;
    view.step = seen.step;
    view.last_message = kLaunched + seconds(c.now - seen.silent);
    view.last_progress = kLaunched + seconds(c.now - seen.still);
    views.push_back(view);
  }
  return views;
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"all well", 500, {{}, {}, {}}},
      {"not connected yet", 60, {{.connected = false}, {}}},
      {"never connected",
       61,
       {{}, {.connected = false}},
       v1::FAILURE_CAUSE_LAUNCH,
       1,
       "rank 1 of 2"},
      {"several never connected",
       61,
       {{.connected = false}, {}, {.connected = false}},
       v1::FAILURE_CAUSE_LAUNCH,
       -1,
       "ranks 0, 2 of 3"},
      {"silent within the lease", 500, {{.silent = 40}, {}}},
      {"silent", 500, {{}, {.silent = 41, .still = 41}}, v1::FAILURE_CAUSE_RANK_SILENT, 1, "host1"},
      {"the longest silent one",
       500,
       {{.silent = 41}, {.silent = 45}},
       v1::FAILURE_CAUSE_RANK_SILENT,
       1,
       "step 10"},
      {"finished and silent", 500, {{}, {.finished = true, .silent = 400, .still = 400}}},
      {"all finished", 500, {{.finished = true, .still = 400}, {.finished = true, .still = 400}}},
      {"step within its limit", 500, {{.still = 100}, {.still = 100}}},
      {"step over its limit, least far by steps",
       500,
       {{.counter = 11, .step = 11, .still = 101},
        {.still = 102},
        {.counter = 11, .step = 11, .still = 103}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       1,
       "phase step"},
      {"least far by counter",
       500,
       {{.counter = 8, .still = 101}, {.counter = 7, .still = 101}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       1,
       "host1"},
      {"a stopped rank among equals",
       500,
       {{.still = 110}, {.silent = 39, .still = 105}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       1,
       "host1"},
      {"the longer still among equals",
       500,
       {{.still = 110}, {.still = 115}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       1,
       "host1"},
      {"waiting for a slower rank that moves", 500, {{.step = 11, .still = 130}, {.still = 5}}},
      {"waiting for the rank that writes a checkpoint",
       500,
       {{.phase = v1::PHASE_CHECKPOINT, .still = 120}, {.still = 120}}},
      {"the checkpoint hangs too",
       500,
       {{.phase = v1::PHASE_CHECKPOINT, .still = 152}, {.still = 151}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       0,
       "phase checkpoint"},
      {"behind a rank that moves",
       500,
       {{.counter = 12, .step = 12, .still = 1}, {.still = 101}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       1,
       "step 10"},
      {"evaluation within its limit", 500, {{.phase = v1::PHASE_EVALUATION, .still = 200}}},
      {"evaluation over its limit",
       500,
       {{.phase = v1::PHASE_EVALUATION, .still = 201}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       0,
       "phase evaluation: 200 s"},
      {"weights over the limit of the start",
       500,
       {{.phase = v1::PHASE_WEIGHTS, .step = 0, .still = 61}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       0,
       "phase weights: 60 s"},
      {"start over its limit",
       500,
       {{.phase = v1::PHASE_START, .step = 0, .still = 61}},
       v1::FAILURE_CAUSE_NO_PROGRESS,
       0,
       "phase start"},
      {"missing ranks before silent ones",
       500,
       {{.connected = false}, {.silent = 50}},
       v1::FAILURE_CAUSE_LAUNCH,
       0,
       "rank 0 of 2"},
  };
  return cases;
}

TEST(Judge, FollowsTheTable) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const auto failure = Judge(Views(c), Limits(), kLaunched, kLaunched + seconds(c.now));
    if (c.cause == v1::FAILURE_CAUSE_UNSPECIFIED) {
      EXPECT_FALSE(failure.has_value()) << failure->ShortDebugString();
      continue;
    }
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(failure->cause(), c.cause);
    EXPECT_EQ(failure->rank(), c.rank);
    EXPECT_NE(failure->message().find(c.text), std::string::npos) << failure->message();
  }
}

TEST(Judge, NamesHostStepAndPhase) {
  const Case silent{"", 500, {{}, {.phase = v1::PHASE_EVALUATION, .silent = 50}}};
  const auto failure = Judge(Views(silent), Limits(), kLaunched, kLaunched + seconds(500));
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->host(), "host1");
  EXPECT_EQ(failure->step(), 10);
  EXPECT_EQ(failure->phase(), v1::PHASE_EVALUATION);
}

}  // namespace
}  // namespace ltml::streams
