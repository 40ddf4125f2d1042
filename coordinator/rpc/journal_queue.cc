#include "coordinator/rpc/journal_queue.h"

namespace ltml::coordinator {
namespace {

bool IsOrdered(const v1::JournalEntry& entry) { return entry.has_start() || entry.has_window(); }

}  // namespace

void JournalQueue::Add(v1::JournalEntry entry) {
  entries_.emplace(++last_id_, Entry{.entry = std::move(entry)});
}

std::vector<JournalQueue::Due> JournalQueue::TakeDue() {
  std::vector<Due> due;
  bool first = true;
  for (auto& [id, entry] : entries_) {
    const bool ordered = IsOrdered(entry.entry);
    if (ordered && !first) break;
    if (entry.state == State::kWaiting) {
      due.push_back({id, entry.entry});
      entry.state = State::kUnderWay;
    }
    if (ordered) break;
    first = false;
  }
  return due;
}

std::vector<std::function<void()>> JournalQueue::Done(int64_t id) {
  entries_.erase(id);
  const int64_t open = entries_.empty() ? last_id_ + 1 : entries_.begin()->first;
  std::vector<std::function<void()>> ready;
  auto next = waiting_.begin();
  for (; next != waiting_.end() && next->first < open; ++next) {
    ready.push_back(std::move(next->second));
  }
  waiting_.erase(waiting_.begin(), next);
  return ready;
}

void JournalQueue::Failed(int64_t id) {
  const auto entry = entries_.find(id);
  if (entry != entries_.end()) entry->second.state = State::kFailed;
}

void JournalQueue::Retry() {
  for (auto& [id, entry] : entries_) {
    if (entry.state == State::kFailed) entry.state = State::kWaiting;
  }
}

void JournalQueue::Wait(std::function<void()> act) {
  waiting_.emplace_back(last_id_, std::move(act));
}

}  // namespace ltml::coordinator
