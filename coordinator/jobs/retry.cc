#include "coordinator/jobs/retry.h"

#include <fmt/format.h>

namespace ltml::jobs {
namespace {

std::string CauseName(v1::FailureCause cause) {
  return v1::FailureCause_Name(cause).substr(std::string("FAILURE_CAUSE_").size());
}

}  // namespace

FaultOwner OwnerOf(v1::FailureCause cause) {
  switch (cause) {
    case v1::FAILURE_CAUSE_DATA:
    case v1::FAILURE_CAUSE_NON_FINITE:
    case v1::FAILURE_CAUSE_OUT_OF_MEMORY:
    case v1::FAILURE_CAUSE_CONFIGURATION:
      return FaultOwner::kUser;
    case v1::FAILURE_CAUSE_LAUNCH:
    case v1::FAILURE_CAUSE_RANK_LOST:
    case v1::FAILURE_CAUSE_RANK_SILENT:
    case v1::FAILURE_CAUSE_NO_PROGRESS:
    case v1::FAILURE_CAUSE_COORDINATOR_LOST:
    case v1::FAILURE_CAUSE_COLLECTIVE:
    case v1::FAILURE_CAUSE_STORAGE:
      return FaultOwner::kCluster;
    default:
      return FaultOwner::kProgram;
  }
}

RetryDecision DecideRetry(const v1::Job& job, const v1::Failure& failure) {
  RetryDecision result{.retry = false,
                       .user_failures = job.user_failures(),
                       .cluster_failures = job.cluster_failures(),
                       .reason = {}};
  const FaultOwner owner = OwnerOf(failure.cause());
  if (owner == FaultOwner::kProgram) {
    result.reason = fmt::format("{} is never tried again", CauseName(failure.cause()));
    return result;
  }
  const bool user = owner == FaultOwner::kUser;
  const int failures = user ? ++result.user_failures : ++result.cluster_failures;
  const auto& queue = job.spec().queue();
  const int allowed = user ? queue.user_restarts() : queue.cluster_restarts();
  result.retry = failures <= allowed;
  result.reason =
      fmt::format("{}: failure {} of the {}'s, queue.{}_restarts = {}", CauseName(failure.cause()),
                  failures, user ? "user" : "cluster", user ? "user" : "cluster", allowed);
  return result;
}

std::vector<std::string> HostsToCool(const v1::Failure& failure) {
  if (OwnerOf(failure.cause()) != FaultOwner::kCluster || failure.host().empty()) return {};
  return {failure.host()};
}

}  // namespace ltml::jobs
