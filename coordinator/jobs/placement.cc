#include "coordinator/jobs/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace ltml::jobs {
namespace {

constexpr size_t kHostsNamed = 16;

std::string_view DeviceName(v1::Resources::Device device) {
  return device == v1::Resources::DEVICE_CPU ? "cpu" : "gpu";
}

std::string Asks(const Demand& demand) {
  const bool cpu = demand.device == v1::Resources::DEVICE_CPU;
  return fmt::format("{} rank{} of {} {}{}", demand.ranks, demand.ranks == 1 ? "" : "s",
                     demand.slots_per_rank, cpu ? "core" : "GPU",
                     demand.slots_per_rank == 1 ? "" : "s");
}

int Fit(const Demand& demand, const HostSlots& host, int slots) {
  return host.device == demand.device ? std::max(slots, 0) / demand.slots_per_rank : 0;
}

int FreeFit(const Demand& demand, const HostSlots& host) {
  return host.usable ? Fit(demand, host, host.free) : 0;
}

// The tightest host that holds all of `ranks`, or else the one that holds most.
size_t Choose(const std::vector<int>& fits, int ranks) {
  size_t best = 0;
  for (size_t i = 1; i < fits.size(); ++i) {
    const bool holds = fits[i] >= ranks;
    const bool best_holds = fits[best] >= ranks;
    const bool better = holds && best_holds ? fits[i] < fits[best] : fits[i] > fits[best];
    if (better) best = i;
  }
  return best;
}

}  // namespace

Demand DemandOf(const v1::Resources& resources) {
  const bool cpu = resources.device() == v1::Resources::DEVICE_CPU;
  return {.ranks = std::max(resources.ranks(), 1),
          .slots_per_rank = cpu ? std::max(resources.threads_per_rank(), 1) : 1,
          .device = resources.device()};
}

std::optional<Placements> Place(const Demand& demand, const std::vector<HostSlots>& hosts) {
  std::vector<int> fits;
  int64_t total = 0;
  for (const auto& host : hosts) {
    fits.push_back(FreeFit(demand, host));
    total += fits.back();
  }
  if (total < demand.ranks) return std::nullopt;
  Placements result;
  for (int left = demand.ranks; left > 0;) {
    const size_t chosen = Choose(fits, left);
    const int ranks = std::min(fits[chosen], left);
    auto& placement = result.emplace_back();
    placement.set_host(hosts[chosen].name);
    placement.set_ranks(ranks);
    placement.set_slots(ranks * demand.slots_per_rank);
    fits[chosen] = 0;
    left -= ranks;
  }
  return result;
}

absl::Status CheckCapacity(const Demand& demand, const std::vector<HostSlots>& hosts) {
  int64_t total = 0;
  std::vector<std::string> parts;
  for (const auto& host : hosts) {
    if (host.device != demand.device) continue;
    const int fit = Fit(demand, host, host.slots);
    total += fit;
    if (parts.size() < kHostsNamed) parts.push_back(fmt::format("{} {}", host.name, fit));
  }
  if (total >= demand.ranks) return absl::OkStatus();
  const auto device = DeviceName(demand.device);
  if (parts.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("asks for {}; the pool has no {} host", Asks(demand), device));
  }
  if (parts.size() == kHostsNamed) parts.emplace_back("...");
  return absl::InvalidArgumentError(
      fmt::format("asks for {}; the pool's {} hosts hold {} such rank{}: {}", Asks(demand), device,
                  total, total == 1 ? "" : "s", fmt::join(parts, ", ")));
}

std::string Shortage(const Demand& demand, const std::vector<HostSlots>& hosts) {
  int64_t total = 0;
  int unusable = 0;
  for (const auto& host : hosts) {
    total += FreeFit(demand, host);
    unusable += host.device == demand.device && !host.usable;
  }
  std::string result =
      fmt::format("waits for slots: needs {}, {} would fit now", Asks(demand), total);
  if (unusable > 0) {
    result += fmt::format(" ({} host{} drained or cooling down)", unusable,
                          unusable == 1 ? " is" : "s are");
  }
  return result;
}

}  // namespace ltml::jobs
