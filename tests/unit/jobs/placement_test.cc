#include "coordinator/jobs/placement.h"

#include <gtest/gtest.h>

namespace ltml::jobs {
namespace {

HostSlots Cpu(const std::string& name, int slots, int free, bool usable = true) {
  return {.name = name, .slots = slots, .free = free, .usable = usable};
}

std::string Text(const std::optional<Placements>& placements) {
  if (!placements) return "none";
  std::string text;
  for (const auto& placement : *placements) {
    text += placement.host() + ":" + std::to_string(placement.ranks()) + "/" +
            std::to_string(placement.slots()) + " ";
  }
  return text;
}

TEST(Placement, TakesTheHostThatIsLeftFullest) {
  EXPECT_EQ(Text(Place({.ranks = 2, .slots_per_rank = 2},
                       {Cpu("a", 8, 8), Cpu("b", 8, 5), Cpu("c", 8, 3)})),
            "b:2/4 ");
}

TEST(Placement, TakesFewHosts) {
  EXPECT_EQ(Text(Place({.ranks = 5}, {Cpu("a", 8, 2), Cpu("b", 8, 3), Cpu("c", 8, 4)})),
            "c:4/4 a:1/1 ");
}

TEST(Placement, TiesGoToTheEarlierHost) {
  EXPECT_EQ(Text(Place({.ranks = 1}, {Cpu("a", 2, 2), Cpu("b", 2, 2)})), "a:1/1 ");
}

TEST(Placement, IsAllOrNothingAndSkipsUnusableHosts) {
  EXPECT_EQ(Text(Place({.ranks = 3}, {Cpu("a", 2, 2), Cpu("b", 2, 2, false)})), "none");
  // Slots left over on two hosts make no rank of two cores.
  EXPECT_EQ(Text(Place({.ranks = 1, .slots_per_rank = 2}, {Cpu("a", 1, 1), Cpu("b", 1, 1)})),
            "none");
}

TEST(Placement, ReportsWhatThePoolCouldNeverHoldWithTheNumbers) {
  const std::vector<HostSlots> pool = {Cpu("a", 8, 0), Cpu("b", 7, 0, false)};
  EXPECT_TRUE(CheckCapacity({.ranks = 3, .slots_per_rank = 4}, pool).ok());
  EXPECT_EQ(CheckCapacity({.ranks = 8, .slots_per_rank = 4}, pool).message(),
            "asks for 8 ranks of 4 cores; the pool's cpu hosts hold 3 such ranks: a 2, b 1");
  EXPECT_EQ(CheckCapacity({.ranks = 1}, {}).message(),
            "asks for 1 rank of 1 core; the pool has no cpu host");
}

TEST(Placement, CountsCoresOfCpuJobs) {
  v1::Resources resources;
  resources.set_ranks(3);
  resources.set_threads_per_rank(4);
  resources.set_device(v1::Resources::DEVICE_CPU);
  const Demand demand = DemandOf(resources);
  EXPECT_EQ(demand.ranks, 3);
  EXPECT_EQ(demand.slots_per_rank, 4);
}

}  // namespace
}  // namespace ltml::jobs
