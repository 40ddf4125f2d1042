#pragma once

#include <cstdint>

#include "coordinator/monitoring/collect.h"
#include "coordinator/monitoring/families.h"

namespace ltml::monitoring {

// The parts of Collect.

void AddServer(const Snapshot& snapshot, Families& families);
void AddJob(const service::LiveJob& live, Families& families);
// Returns how many series were left out, which takes what is added off the budget.
int64_t AddClasses(const service::LiveJob& live, const v1::DatasetInfo& classes, int64_t& budget,
                   Families& families);

// A job as metrics name it: without "jobs/".
std::string JobLabel(const v1::Job& job);
// "RANK_LOST" of FAILURE_CAUSE_RANK_LOST, in small letters.
std::string ReasonLabel(v1::FailureCause cause);
// "running" of JOB_STATE_RUNNING.
std::string StateLabel(v1::JobState state);

}  // namespace ltml::monitoring
