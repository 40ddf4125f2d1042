#pragma once

#include <string>
#include <vector>

#include "ltml/v1/job_service.pb.h"

namespace ltml::jobs {

// Whose a failure is to mend.
enum class FaultOwner { kUser, kCluster, kProgram };

FaultOwner OwnerOf(v1::FailureCause cause);

struct RetryDecision {
  bool retry = false;
  // Of the job, this failure counted.
  int user_failures = 0;
  int cluster_failures = 0;
  std::string reason;  // one sentence, for the event
};

// May a job go on after an attempt failed?  The user's failures count against
// queue.user_restarts, the cluster's against queue.cluster_restarts; failures of the program
// itself (PROTOCOL, INTERNAL) would only come again.  Pure.
RetryDecision DecideRetry(const v1::Job& job, const v1::Failure& failure);

// Hosts that should not be used for a while: the failure's, where the cluster is to blame.
std::vector<std::string> HostsToCool(const v1::Failure& failure);

}  // namespace ltml::jobs
