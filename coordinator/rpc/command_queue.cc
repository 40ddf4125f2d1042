#include "coordinator/rpc/command_queue.h"

#include <fmt/format.h>

#include "common/base/status_macros.h"

namespace ltml::coordinator {
namespace {

// Far above the commands of any attempt, far below the end of int64.
constexpr int64_t kLargestId = int64_t{1} << 40;

}  // namespace

void CommandQueue::Add(v1::Command::Kind kind) {
  v1::Command& command = commands_.emplace_back();
  command.set_kind(kind);
  if (greeted_) command.set_id(next_id_++);
}

absl::Status CommandQueue::OnHello(int64_t last_id) {
  if (greeted_) return Acknowledge(last_id);
  if (last_id < 0 || last_id > kLargestId) {
    return absl::FailedPreconditionError(
        fmt::format("rank 0 acknowledges command {}, which no server gave", last_id));
  }
  greeted_ = true;
  next_id_ = last_id + 1;
  for (v1::Command& command : commands_) command.set_id(next_id_++);
  return absl::OkStatus();
}

absl::Status CommandQueue::Acknowledge(int64_t last_id) {
  if (last_id < 0 || last_id >= next_id_) {
    return absl::FailedPreconditionError(
        fmt::format("rank 0 acknowledges command {}, the last one was {}", last_id, next_id_ - 1));
  }
  while (!commands_.empty() && commands_.front().id() <= last_id) commands_.pop_front();
  return absl::OkStatus();
}

std::vector<v1::Command> CommandQueue::Pending() const {
  if (!greeted_) return {};
  return {commands_.begin(), commands_.end()};
}

}  // namespace ltml::coordinator
