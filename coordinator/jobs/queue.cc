#include "coordinator/jobs/queue.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace ltml::jobs {
namespace {

void Take(const Placed& placed, Pool* pool) {
  for (const auto& placement : placed.placements) {
    std::ranges::find(pool->hosts, placement.host(), &HostSlots::name)->free -= placement.slots();
  }
  pool->holders.push_back({placed.job, placed.placements});
}

}  // namespace

std::strong_ordering operator<=>(const QueueKey& a, const QueueKey& b) {
  return std::tuple(-a.priority, !a.recovering, a.order) <=>
         std::tuple(-b.priority, !b.recovering, b.order);
}

std::vector<Placed> Schedule(const Pool& pool, const std::vector<WaitingJob>& waiting) {
  Pool now = pool;
  std::vector<Placed> result;
  std::vector<WaitingJob> ahead;
  const size_t count = std::min(waiting.size(), kLookAhead);
  for (size_t i = 0; i < count; ++i) {
    const WaitingJob& job = waiting[i];
    const auto placements = Place(job.demand, now.hosts);
    if (!placements || !CannotDelay(now, ahead, job.demand, *placements)) {
      ahead.push_back(job);
      continue;
    }
    result.push_back({job.job, *placements, !ahead.empty()});
    Take(result.back(), &now);
  }
  return result;
}

std::string WaitReason(const Demand& demand, const std::vector<HostSlots>& hosts, int64_t ahead) {
  if (!Place(demand, hosts)) {
    return ahead == 0 ? Shortage(demand, hosts)
                      : fmt::format("{}; {} job{} ahead", Shortage(demand, hosts), ahead,
                                    ahead == 1 ? " is" : "s are");
  }
  if (ahead == 0) return "is about to be placed";
  return fmt::format("waits behind {} job{}: starting now could delay them", ahead,
                     ahead == 1 ? "" : "s");
}

}  // namespace ltml::jobs
