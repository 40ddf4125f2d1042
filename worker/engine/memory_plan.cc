#include "worker/engine/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace ltml::engine {
namespace {

constexpr int64_t kLine = 16;  // floats of a cache line

}  // namespace

MemoryPlan::Buffer MemoryPlan::Add(int64_t floats) {
  entries_.push_back({.floats = (floats + kLine - 1) / kLine * kLine});
  return static_cast<Buffer>(entries_.size()) - 1;
}

void MemoryPlan::Use(Buffer buffer, int moment) {
  Entry& entry = entries_[buffer];
  if (entry.last < 0) entry.first = moment;
  entry.first = std::min(entry.first, moment);
  entry.last = std::max(entry.last, moment);
}

// `placed` is in the order of offsets.
int64_t MemoryPlan::FirstFit(const Entry& entry, const std::vector<int>& placed) const {
  int64_t offset = 0;
  for (const int i : placed) {
    const Entry& other = entries_[i];
    if (!entry.Meets(other)) continue;
    if (offset + entry.floats <= other.offset) break;
    offset = std::max(offset, other.offset + other.floats);
  }
  return offset;
}

void MemoryPlan::Place() {
  std::vector<int> order(entries_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order,
                           [&](int a, int b) { return entries_[a].floats > entries_[b].floats; });
  std::vector<int> placed;
  for (const int i : order) {
    Entry& entry = entries_[i];
    entry.offset = FirstFit(entry, placed);
    total_ = std::max(total_, entry.offset + entry.floats);
    const auto after = std::ranges::find_if(
        placed, [&](int other) { return entries_[other].offset > entry.offset; });
    placed.insert(after, i);
  }
}

}  // namespace ltml::engine
