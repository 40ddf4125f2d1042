#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "ltml/v1/store.pb.h"

namespace ltml::coordinator {

// Entries on their way into a journal, and what waits until they are there.  Starts and windows go
// one at a time, so that a journal never has a gap; finishes and failures depend on nothing and go
// together.  Not thread-safe.
class JournalQueue {
 public:
  struct Due {
    int64_t id = 0;
    v1::JournalEntry entry;
  };

  void Add(v1::JournalEntry entry);
  // What may be appended now, in order; counts as under way until Done or Failed.
  std::vector<Due> TakeDue();
  // Returns what no longer has to wait, in order.
  std::vector<std::function<void()>> Done(int64_t id);
  // It waits for Retry.
  void Failed(int64_t id);
  void Retry();

  // `act` waits for everything added so far.  Only while there is something to wait for.
  void Wait(std::function<void()> act);
  bool empty() const { return entries_.empty(); }

 private:
  enum class State { kWaiting, kUnderWay, kFailed };
  struct Entry {
    v1::JournalEntry entry;
    State state = State::kWaiting;
  };

  int64_t last_id_ = 0;
  std::map<int64_t, Entry> entries_;                                // by id; not durable
  std::vector<std::pair<int64_t, std::function<void()>>> waiting_;  // for ids up to the first
};

}  // namespace ltml::coordinator
