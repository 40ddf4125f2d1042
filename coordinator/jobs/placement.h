#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::jobs {

// A host as the scheduler sees it.
struct HostSlots {
  std::string name;
  int slots = 0;
  int free = 0;
  v1::Resources::Device device = v1::Resources::DEVICE_CPU;
  bool usable = true;  // neither drained nor cooling down
};

// What a job needs: all ranks at once.
struct Demand {
  int ranks = 1;
  int slots_per_rank = 1;  // threads_per_rank cores on a cpu host, otherwise one device
  v1::Resources::Device device = v1::Resources::DEVICE_CPU;
};

using Placements = std::vector<v1::Placement>;

Demand DemandOf(const v1::Resources& resources);

// Gang placement on free slots of usable hosts: all ranks or nullopt.  As few hosts as can be; the
// last of them is the one that is left fullest.  Ties go to the earlier host, so the same pool
// gives the same answer.  Pure; O(hosts^2) at most.
std::optional<Placements> Place(const Demand& demand, const std::vector<HostSlots>& hosts);

// InvalidArgument, with the numbers, for a job that the empty pool could not hold even if no host
// were drained: "asks for 8 ranks of 4 cores; the pool's cpu hosts hold 3 such ranks: a 2, b 1".
absl::Status CheckCapacity(const Demand& demand, const std::vector<HostSlots>& hosts);

// Why Place says no now, in one sentence.
std::string Shortage(const Demand& demand, const std::vector<HostSlots>& hosts);

}  // namespace ltml::jobs
