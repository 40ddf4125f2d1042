#include "coordinator/jobs/retry.h"

#include <gtest/gtest.h>

#include <set>

namespace ltml::jobs {
namespace {

v1::Failure Because(int cause, const std::string& host = "") {
  v1::Failure failure;
  failure.set_cause(static_cast<v1::FailureCause>(cause));
  failure.set_host(host);
  return failure;
}

TEST(Retry, EveryCauseHasItsOwner) {
  const std::set<int> user = {1, 2, 3, 4};
  const std::set<int> program = {0, 12, 13};
  for (int cause = 0; cause <= v1::FailureCause_MAX; ++cause) {
    const FaultOwner expected = user.contains(cause)      ? FaultOwner::kUser
                                : program.contains(cause) ? FaultOwner::kProgram
                                                          : FaultOwner::kCluster;
    EXPECT_EQ(OwnerOf(static_cast<v1::FailureCause>(cause)), expected) << cause;
  }
}

TEST(Retry, BudgetsAreApart) {
  v1::Job job;
  job.mutable_spec()->mutable_queue()->set_user_restarts(1);
  job.mutable_spec()->mutable_queue()->set_cluster_restarts(2);
  job.set_user_failures(1);
  job.set_cluster_failures(1);
  EXPECT_FALSE(DecideRetry(job, Because(v1::FAILURE_CAUSE_DATA)).retry);
  const auto decision = DecideRetry(job, Because(v1::FAILURE_CAUSE_RANK_LOST));
  EXPECT_TRUE(decision.retry);
  EXPECT_EQ(decision.user_failures, 1);
  EXPECT_EQ(decision.cluster_failures, 2);
  EXPECT_EQ(decision.reason, "RANK_LOST: failure 2 of the cluster's, queue.cluster_restarts = 2");
  job.set_cluster_failures(2);
  EXPECT_FALSE(DecideRetry(job, Because(v1::FAILURE_CAUSE_RANK_LOST)).retry);
}

TEST(Retry, TheProgramsOwnFailuresAreFinal) {
  v1::Job job;
  job.mutable_spec()->mutable_queue()->set_cluster_restarts(5);
  EXPECT_FALSE(DecideRetry(job, Because(v1::FAILURE_CAUSE_PROTOCOL)).retry);
  EXPECT_FALSE(DecideRetry(job, Because(v1::FAILURE_CAUSE_INTERNAL)).retry);
}

TEST(Retry, CoolsTheHostOfAClusterFailure) {
  EXPECT_EQ(HostsToCool(Because(v1::FAILURE_CAUSE_RANK_LOST, "a")), std::vector<std::string>{"a"});
  EXPECT_TRUE(HostsToCool(Because(v1::FAILURE_CAUSE_RANK_LOST)).empty());
  EXPECT_TRUE(HostsToCool(Because(v1::FAILURE_CAUSE_DATA, "a")).empty());
}

}  // namespace
}  // namespace ltml::jobs
