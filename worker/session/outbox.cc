#include "worker/session/outbox.h"

#include <utility>

namespace ltml::session {
namespace {

bool IsRepeated(const v1::WorkerMessage& message) {
  if (message.has_hello() || message.has_window_report()) return false;
  return !message.has_progress() || message.progress().has_metrics();
}

}  // namespace

void Outbox::Push(v1::WorkerMessage message) { queue_.push_back(std::move(message)); }

void Outbox::PushReport(v1::WorkerMessage message) {
  reports_[message.window_report().window()] = message;
  queue_.push_back(std::move(message));
}

void Outbox::Acknowledge(int64_t window) {
  reports_.erase(reports_.begin(), reports_.upper_bound(window));
}

void Outbox::Restart(v1::WorkerMessage hello) {
  std::deque<v1::WorkerMessage> queue;
  queue.push_back(std::move(hello));
  for (const auto& [window, report] : reports_) queue.push_back(report);
  for (v1::WorkerMessage& message : written_) queue.push_back(std::move(message));
  written_.clear();
  for (v1::WorkerMessage& message : queue_) {
    if (!message.has_window_report() && !message.has_hello()) queue.push_back(std::move(message));
  }
  queue_ = std::move(queue);
}

std::optional<v1::WorkerMessage> Outbox::Pop() {
  if (queue_.empty()) return std::nullopt;
  v1::WorkerMessage message = std::move(queue_.front());
  queue_.pop_front();
  if (IsRepeated(message)) written_.push_back(message);
  if (written_.size() > kKept) written_.pop_front();
  return message;
}

}  // namespace ltml::session
