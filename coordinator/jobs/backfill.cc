#include <algorithm>
#include <set>

#include "coordinator/jobs/queue.h"

namespace ltml::jobs {
namespace {

// Slots held, by index of the host.
using Held = std::vector<std::pair<int, int>>;

struct World {
  std::vector<HostSlots> hosts;
  std::vector<Held> held;  // of each event that gives slots back
};

// Events are numbered: holders, unusable hosts, jobs ahead, the candidate.
struct Pair {
  World without;
  World with;
  std::vector<char> live;  // events that can happen next
  size_t started = 0;      // jobs ahead
};

class Explorer {
 public:
  Explorer(const Pool& pool, const std::vector<WaitingJob>& ahead, const Demand& candidate)
      : device_(candidate.device) {
    for (const auto& host : pool.hosts) {
      if (host.device == device_) hosts_.push_back(host);
    }
    for (const auto& job : ahead) {
      if (job.demand.device == device_) ahead_.push_back(job.demand);
    }
    for (const auto& holder : pool.holders) {
      if (Held held = Find(holder.placements); !held.empty()) holders_.push_back(std::move(held));
    }
    for (int i = 0; i < static_cast<int>(hosts_.size()); ++i) {
      if (!hosts_[i].usable) unusable_.push_back(i);
    }
  }

  bool CannotDelay(const Placements& placements) {
    if (ahead_.empty()) return true;
    const size_t events = holders_.size() + unusable_.size() + ahead_.size() + 1;
    if (events > kMostEvents) return false;
    Pair first;
    first.without.hosts = first.with.hosts = hosts_;
    first.without.held = holders_;
    first.without.held.resize(events);
    first.with.held = first.without.held;
    first.live.assign(events, false);
    std::fill_n(first.live.begin(), FirstAhead(), true);
    Take(Find(placements), events - 1, &first.with);
    first.live[events - 1] = true;
    return StartAhead(&first) && Follow(first);
  }

 private:
  size_t FirstAhead() const { return holders_.size() + unusable_.size(); }

  Held Find(const Placements& placements) const {
    Held held;
    for (const auto& placement : placements) {
      const auto host = std::ranges::find(hosts_, placement.host(), &HostSlots::name);
      if (host != hosts_.end()) {
        held.emplace_back(static_cast<int>(host - hosts_.begin()), placement.slots());
      }
    }
    return held;
  }

  static void Take(Held held, size_t event, World* world) {
    for (const auto& [host, slots] : held) world->hosts[host].free -= slots;
    world->held[event] = std::move(held);
  }

  void Happen(size_t event, World* world) const {
    if (event >= holders_.size() && event < FirstAhead()) {
      world->hosts[unusable_[event - holders_.size()]].usable = true;
      return;
    }
    for (const auto& [host, slots] : world->held[event]) world->hosts[host].free += slots;
    world->held[event].clear();
  }

  // Starts jobs ahead in order; false where only one of the two pools can.
  bool StartAhead(Pair* pair) const {
    for (; pair->started < ahead_.size(); ++pair->started) {
      const Demand& demand = ahead_[pair->started];
      const auto without = Place(demand, pair->without.hosts);
      const auto with = Place(demand, pair->with.hosts);
      if (without.has_value() != with.has_value()) return false;
      if (!without) return true;
      const size_t event = FirstAhead() + pair->started;
      Take(Find(*without), event, &pair->without);
      Take(Find(*with), event, &pair->with);
      pair->live[event] = true;
    }
    return true;
  }

  static std::vector<int> KeyOf(const Pair& pair) {
    std::vector<int> key(pair.live.begin(), pair.live.end());
    key.push_back(static_cast<int>(pair.started));
    for (const World* world : {&pair.without, &pair.with}) {
      for (const Held& held : world->held) {
        key.push_back(-1);
        for (const auto& [host, slots] : held) key.insert(key.end(), {host, slots});
      }
    }
    return key;
  }

  bool Follow(const Pair& pair) {
    // With all of them started there is nobody left to delay.
    if (pair.started == ahead_.size() || !seen_.insert(KeyOf(pair)).second) return true;
    if (seen_.size() > kMostStates) return false;
    for (size_t event = 0; event < pair.live.size(); ++event) {
      if (!pair.live[event]) continue;
      Pair next = pair;
      next.live[event] = false;
      Happen(event, &next.without);
      Happen(event, &next.with);
      if (!StartAhead(&next) || !Follow(next)) return false;
    }
    return true;
  }

  v1::Resources::Device device_;
  std::vector<HostSlots> hosts_;
  std::vector<Held> holders_;
  std::vector<int> unusable_;
  std::vector<Demand> ahead_;
  std::set<std::vector<int>> seen_;
};

}  // namespace

bool CannotDelay(const Pool& pool, const std::vector<WaitingJob>& ahead, const Demand& candidate,
                 const Placements& placements) {
  return Explorer(pool, ahead, candidate).CannotDelay(placements);
}

}  // namespace ltml::jobs
