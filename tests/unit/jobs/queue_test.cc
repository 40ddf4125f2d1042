#include "coordinator/jobs/queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

namespace ltml::jobs {
namespace {

WaitingJob Waiting(const std::string& name, int ranks, int slots = 1) {
  return {name, {.ranks = ranks, .slots_per_rank = slots}};
}

Placements On(const std::string& host, int slots) {
  Placements result(1);
  result[0].set_host(host);
  result[0].set_ranks(slots);
  result[0].set_slots(slots);
  return result;
}

std::string Started(const std::vector<Placed>& placed) {
  std::string text;
  for (const auto& one : placed) text += one.job + (one.backfilled ? "* " : " ");
  return text;
}

TEST(QueueKey, PriorityThenRecoveringThenSubmission) {
  std::vector<QueueKey> keys = {{.priority = 0, .order = 1},
                                {.priority = 0, .recovering = true, .order = 9},
                                {.priority = 5, .order = 8},
                                {.priority = 0, .order = 0},
                                {.priority = -1, .recovering = true, .order = 2}};
  std::ranges::sort(keys);
  std::vector<int64_t> orders;
  for (const auto& key : keys) orders.push_back(key.order);
  EXPECT_EQ(orders, (std::vector<int64_t>{8, 9, 0, 1, 2}));
}

TEST(Schedule, StartsInOrderAsLongAsTheyFit) {
  const Pool pool{.hosts = {{.name = "a", .slots = 4, .free = 4}}, .holders = {}};
  EXPECT_EQ(Started(Schedule(pool, {Waiting("x", 1), Waiting("y", 3), Waiting("z", 1)})), "x y ");
}

TEST(Schedule, ASmallJobWaitsWhereItCouldDelayABigOne) {
  const Pool pool{.hosts = {{.name = "a", .slots = 4, .free = 2}}, .holders = {{"r", On("a", 2)}}};
  EXPECT_EQ(Started(Schedule(pool, {Waiting("big", 4), Waiting("small", 1)})), "");
}

TEST(Schedule, ASmallJobPassesWhereTheBigOneNeverNeedsItsSlots) {
  // big needs 2 x 2 cores: b alone, once r has ended, since a has but 1 core.
  const Pool pool{
      .hosts = {{.name = "a", .slots = 1, .free = 1}, {.name = "b", .slots = 4, .free = 0}},
      .holders = {{"r", On("b", 4)}}};
  EXPECT_EQ(Started(Schedule(pool, {Waiting("big", 2, 2), Waiting("small", 1)})), "small* ");
}

TEST(Schedule, AHostThatComesBackIsLeftToTheJobThatWaitsForIt) {
  const Pool pool{.hosts = {{.name = "a", .slots = 2, .free = 2},
                            {.name = "b", .slots = 2, .free = 2, .usable = false}},
                  .holders = {}};
  EXPECT_EQ(Started(Schedule(pool, {Waiting("big", 4), Waiting("small", 1)})), "");
}

TEST(Schedule, AnotherDeviceIsAnotherQueue) {
  const auto gpu = static_cast<v1::Resources::Device>(2);
  const Pool pool{.hosts = {{.name = "a", .slots = 2, .free = 2, .device = gpu}}, .holders = {}};
  WaitingJob other = Waiting("gpu", 2);
  other.demand.device = gpu;
  EXPECT_EQ(Started(Schedule(pool, {Waiting("cpu", 4), other})), "gpu* ");
}

TEST(Schedule, RefusesWhatItCannotDecide) {
  Pool pool{.hosts = {{.name = "a", .slots = 1, .free = 1}, {.name = "b", .slots = 40, .free = 0}},
            .holders = {}};
  for (int i = 0; i < 40; ++i) pool.holders.push_back({std::to_string(i), On("b", 1)});
  EXPECT_EQ(Started(Schedule(pool, {Waiting("big", 2, 2), Waiting("small", 1)})), "");
}

// The same question asked in another way: play every order of completions to its end, once without
// the candidate and once with it, and compare when each job ahead starts.
class BruteForce {
 public:
  BruteForce(const Pool& pool, std::vector<Demand> ahead) : pool_(pool), ahead_(std::move(ahead)) {}

  // True when no order of completions lets a job ahead start later, or other, than without.
  bool Harmless(const Placements& candidate) {
    std::vector<int> order;
    return Play(order, candidate);
  }

 private:
  // What runs: holders 0.., jobs ahead after them, the candidate last.
  struct World {
    std::map<int, Placements> running;
    size_t started = 0;
  };

  std::vector<HostSlots> Free(const World& world) const {
    std::vector<HostSlots> hosts = pool_.hosts;
    for (auto& host : hosts) {
      host.free = host.slots;
      for (const auto& [id, placements] : world.running) {
        for (const auto& placement : placements) {
          if (placement.host() == host.name) host.free -= placement.slots();
        }
      }
    }
    return hosts;
  }

  void Fill(World* world) const {
    for (; world->started < ahead_.size(); ++world->started) {
      const auto placed = Place(ahead_[world->started], Free(*world));
      if (!placed) return;
      world->running[static_cast<int>(pool_.holders.size() + world->started)] = *placed;
    }
  }

  // The number of jobs ahead that have started after each completion.
  std::vector<size_t> Starts(const std::vector<int>& order, World world) const {
    Fill(&world);
    std::vector<size_t> starts = {world.started};
    for (const int id : order) {
      world.running.erase(id);
      Fill(&world);
      starts.push_back(world.started);
    }
    return starts;
  }

  bool Play(std::vector<int>& order, const Placements& candidate) {
    World without;
    for (size_t i = 0; i < pool_.holders.size(); ++i) {
      without.running[static_cast<int>(i)] = pool_.holders[i].placements;
    }
    World with = without;
    const int last = static_cast<int>(pool_.holders.size() + ahead_.size());
    with.running[last] = candidate;
    const auto starts = Starts(order, without);
    if (starts != Starts(order, with)) return false;
    for (int id = 0; id <= last; ++id) {
      const bool ended = std::ranges::find(order, id) != order.end();
      const int number = id - static_cast<int>(pool_.holders.size());
      const bool runs = number < static_cast<int>(starts.back()) || id == last;
      if (ended || !runs) continue;
      order.push_back(id);
      const bool harmless = Play(order, candidate);
      order.pop_back();
      if (!harmless) return false;
    }
    return true;
  }

  const Pool& pool_;
  const std::vector<Demand> ahead_;
};

TEST(CannotDelay, AgreesWithPlayingAllOrdersOfCompletions) {
  std::mt19937 random(7);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  int harmless = 0;
  int harmful = 0;
  for (int round = 0; round < 4000; ++round) {
    Pool pool;
    for (int i = 0; i < pick(1, 3); ++i) {
      const int slots = pick(1, 5);
      pool.hosts.push_back(
          {.name = std::string(1, static_cast<char>('a' + i)), .slots = slots, .free = slots});
    }
    const auto demand = [&] { return Demand{.ranks = pick(1, 4), .slots_per_rank = pick(1, 3)}; };
    for (int i = 0; i < pick(0, 3); ++i) {
      const auto placed = Place(demand(), pool.hosts);
      if (!placed) continue;
      pool.holders.push_back({std::to_string(i), *placed});
      for (const auto& placement : *placed) {
        std::ranges::find(pool.hosts, placement.host(), &HostSlots::name)->free -=
            placement.slots();
      }
    }
    std::vector<WaitingJob> ahead;
    std::vector<Demand> demands;
    for (int i = 0; i < pick(1, 2); ++i) {
      const Demand one = demand();
      if (Place(one, pool.hosts)) continue;
      ahead.push_back({std::to_string(i), one});
      demands.push_back(one);
    }
    const Demand candidate = demand();
    const auto placements = Place(candidate, pool.hosts);
    if (ahead.empty() || !placements) continue;
    const bool expected = BruteForce(pool, demands).Harmless(*placements);
    ASSERT_EQ(CannotDelay(pool, ahead, candidate, *placements), expected) << "round " << round;
    ++(expected ? harmless : harmful);
  }
  EXPECT_GT(harmless, 50);
  EXPECT_GT(harmful, 50);
}

TEST(Schedule, CostsLittleWithTenThousandWaiting) {
  Pool pool;
  for (int i = 0; i < 20; ++i) {
    pool.hosts.push_back({.name = std::to_string(i), .slots = 4, .free = i < 10 ? 1 : 0});
  }
  for (int i = 0; i < 10; ++i)
    pool.holders.push_back({std::to_string(i), On(std::to_string(i), 3)});
  std::vector<WaitingJob> waiting;
  for (int i = 0; i < 10000; ++i)
    waiting.push_back(Waiting(std::to_string(i), i % 3 + 1, 4 - i % 4));
  const auto begin = std::chrono::steady_clock::now();
  Schedule(pool, waiting);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(WaitReason, SaysWhatIsMissing) {
  const std::vector<HostSlots> hosts = {{.name = "a", .slots = 4, .free = 1},
                                        {.name = "b", .slots = 4, .free = 4, .usable = false}};
  EXPECT_EQ(WaitReason({.ranks = 2}, hosts, 0),
            "waits for slots: needs 2 ranks of 1 core, 1 would fit now (1 host is drained or "
            "cooling down)");
  EXPECT_EQ(WaitReason({.ranks = 1}, hosts, 3),
            "waits behind 3 jobs: starting now could delay them");
}

}  // namespace
}  // namespace ltml::jobs
