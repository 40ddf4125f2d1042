#include "worker/collective/threads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ltml::collective {
namespace {

using train::Buffer;
using train::ElementType;
using Ticket = train::Collective::Ticket;

constexpr int kSum = -1;  // in place of a broadcast's root

// One operation and the ranks that have come to it.
struct Meeting {
  int root = kSum;
  std::vector<Buffer> buffers;
  int arrived = 0;
};

template <typename T>
void Sum(const std::vector<Buffer>& buffers) {
  const Buffer& first = buffers.front();
  std::vector<T> sum(static_cast<T*>(first.data), static_cast<T*>(first.data) + first.count);
  for (size_t rank = 1; rank < buffers.size(); ++rank) {
    const T* part = static_cast<const T*>(buffers[rank].data);
    for (int64_t i = 0; i < first.count; ++i) sum[i] += part[i];
  }
  for (const Buffer& buffer : buffers)
    std::copy(sum.begin(), sum.end(), static_cast<T*>(buffer.data));
}

int64_t BytesOf(const Buffer& buffer) {
  return buffer.count * (buffer.type == ElementType::kFloat32 ? 4 : 8);
}

void Run(const Meeting& meeting) {
  if (meeting.root != kSum) {
    const Buffer& source = meeting.buffers[meeting.root];
    for (const Buffer& buffer : meeting.buffers) {
      if (buffer.data != source.data) std::memcpy(buffer.data, source.data, BytesOf(source));
    }
    return;
  }
  switch (meeting.buffers.front().type) {
    case ElementType::kFloat32:
      return Sum<float>(meeting.buffers);
    case ElementType::kFloat64:
      return Sum<double>(meeting.buffers);
    case ElementType::kInt64:
      return Sum<int64_t>(meeting.buffers);
  }
}

// Where the ranks meet.  The last rank to come works for all, under the lock: a rank that gave up
// has broken the group by then, so nobody's memory is touched after its Wait has returned.
class Hall {
 public:
  explicit Hall(int world_size) : world_size_(world_size) {}

  int world_size() const { return world_size_; }

  void Join(Ticket ticket, int rank, const Buffer& buffer, int root) {
    const absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return;
    Meeting& meeting = meetings_[ticket];
    if (meeting.arrived == 0) {
      meeting.buffers.assign(world_size_, buffer);
      meeting.root = root;
    }
    const Buffer& other = meeting.buffers.front();
    if (meeting.root != root || other.type != buffer.type || other.count != buffer.count) {
      failure_ = absl::InternalError(fmt::format(
          "collective {}: rank {} came with {} elements and another rank with {}, or with another "
          "operation",
          ticket, rank, buffer.count, other.count));
      return;
    }
    meeting.buffers[rank] = buffer;
    if (++meeting.arrived < world_size_) return;
    Run(meeting);
    meetings_.erase(ticket);
    finished_ = ticket;
  }

  absl::Status Await(Ticket ticket, std::chrono::nanoseconds timeout) {
    const absl::MutexLock lock(&mutex_);
    const auto over = [this, ticket]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return finished_ >= ticket || !failure_.ok();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&over), absl::FromChrono(timeout));
    if (finished_ >= ticket) return absl::OkStatus();
    if (failure_.ok()) {
      const int arrived = meetings_.contains(finished_ + 1) ? meetings_[finished_ + 1].arrived : 0;
      failure_ = absl::DeadlineExceededError(
          fmt::format("collective {}: {} of {} ranks came within {:.3f} s", finished_ + 1, arrived,
                      world_size_, std::chrono::duration<double>(timeout).count()));
    }
    return failure_;
  }

 private:
  const int world_size_;
  absl::Mutex mutex_;
  std::map<Ticket, Meeting> meetings_ ABSL_GUARDED_BY(mutex_);
  Ticket finished_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

class Member : public train::Collective {
 public:
  // Shared: members may go in any order.
  Member(std::shared_ptr<Hall> hall, int rank) : hall_(std::move(hall)), rank_(rank) {}

  int rank() const override { return rank_; }
  int world_size() const override { return hall_->world_size(); }
  Ticket StartAllReduceSum(Buffer buffer) override { return Start(buffer, kSum); }
  Ticket StartBroadcast(Buffer buffer, int root) override { return Start(buffer, root); }
  absl::Status Wait(Ticket ticket, std::chrono::nanoseconds timeout) override {
    return hall_->Await(ticket, timeout);
  }

 private:
  Ticket Start(Buffer buffer, int root) {
    hall_->Join(++started_, rank_, buffer, root);
    return started_;
  }

  std::shared_ptr<Hall> hall_;
  const int rank_;
  Ticket started_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<train::Collective>> MakeThreads(int world_size) {
  const auto hall = std::make_shared<Hall>(world_size);
  std::vector<std::unique_ptr<train::Collective>> members;
  for (int rank = 0; rank < world_size; ++rank) {
    members.push_back(std::make_unique<Member>(hall, rank));
  }
  return members;
}

}  // namespace ltml::collective
