#include "common/view/words.h"

#include <gtest/gtest.h>

#include "common/base/proto_time.h"

namespace ltml::view {
namespace {

TEST(FailureText, NamesCauseRankHostStep) {
  v1::Failure failure;
  failure.set_cause(v1::FAILURE_CAUSE_RANK_LOST);
  failure.set_rank(1);
  failure.set_host("node-a");
  failure.set_step(12);
  failure.set_message("killed by signal 9");
  EXPECT_EQ(FailureText(failure),
            "a rank was lost (rank 1 on node-a at step 12): killed by signal 9");
  failure.set_rank(-1);
  EXPECT_EQ(FailureText(failure), "a rank was lost (on node-a at step 12): killed by signal 9");
}

TEST(FailureText, KnowsEveryCause) {
  for (int cause = 1; cause < v1::FailureCause_ARRAYSIZE; ++cause) {
    v1::Failure failure;
    failure.set_cause(static_cast<v1::FailureCause>(cause));
    const bool internal = cause == v1::FAILURE_CAUSE_INTERNAL;
    EXPECT_EQ(FailureText(failure).starts_with("internal error"), internal) << cause;
  }
}

TEST(StateText, SaysWhatFollowsAStop) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_RUNNING);
  EXPECT_EQ(StateText(job), "running");
  job.set_state(v1::JOB_STATE_STOPPING);
  job.set_stop_goal(v1::JOB_STATE_PAUSED);
  EXPECT_EQ(StateText(job), "stopping (paused next)");
}

TEST(Words, OfTimesAndPlaces) {
  const auto time = std::chrono::system_clock::from_time_t(1767323045);
  EXPECT_EQ(UtcText(base::ToTimestamp(time)), "2026-01-02 03:04:05 UTC");
  EXPECT_EQ(AgeText(base::ToTimestamp(time), time + std::chrono::seconds(185)), "3 min 05 s");
  EXPECT_EQ(AgeText(base::ToTimestamp(time), time - std::chrono::seconds(9)), "0 s");
  v1::Attempt attempt;
  attempt.add_placements()->set_host("a");
  attempt.mutable_placements(0)->set_ranks(2);
  *attempt.add_placements() = attempt.placements(0);
  attempt.mutable_placements(1)->set_ranks(1);
  EXPECT_EQ(PlacementText(attempt.placements()), "a (2 ranks), a (1 rank)");
  for (const int device : {1, 3}) attempt.mutable_placements(0)->add_devices(device);
  attempt.mutable_placements(1)->add_devices(0);
  EXPECT_EQ(PlacementText(attempt.placements()), "a (2 ranks, GPUs 1 3), a (1 rank, GPU 0)");
  v1::Job job;
  job.set_name("jobs/x");
  EXPECT_EQ(IdOf(job), "x");
  job.set_name("x");
  EXPECT_EQ(IdOf(job), "x");
}

}  // namespace
}  // namespace ltml::view
