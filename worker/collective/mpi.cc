#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/collective/collectives.h"
#include "worker/collective/mpi_operations.h"

namespace ltml::collective {
namespace {

using Ticket = train::Collective::Ticket;

// How long a Wait that failed stays until the thread lets go of the caller's memory.
constexpr absl::Duration kLetGoLimit = absl::Seconds(1);
constexpr absl::Duration kFinaliseLimit = absl::Seconds(10);

enum class Operation { kSum, kBroadcast };

std::string_view NameOf(Operation operation) {
  return operation == Operation::kSum ? "all-reduce" : "broadcast";
}

struct Job {
  Operation operation = Operation::kSum;
  train::Buffer buffer;
  int root = 0;
};

// What the thread that owns MPI and its callers share.  The thread holds a reference of its own:
// stuck inside MPI beyond a deadline, it is left behind and outlives the collective until the
// process ends.
class Engine {
 public:
  // The body of the thread.
  void Run() {
    MpiWorld world;
    const absl::Status started = InitialiseMpi(&world);
    Publish(started, world);
    if (!started.ok()) return;
    Job job;
    while (Next(&job)) {
      const absl::Status status = Do(job);
      Complete(status);
      if (!status.ok()) return;
    }
    if (!abandoned_) (void)FinaliseMpi();
    const absl::MutexLock lock(&mutex_);
    ended_ = true;
  }

  absl::StatusOr<MpiWorld> AwaitStart(absl::Duration timeout) {
    const absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&started_), timeout)) {
      abandoned_ = true;
      failure_ = absl::UnavailableError(fmt::format(
          "not within {:.1f} s: are all ranks of mpirun running?", absl::ToDoubleSeconds(timeout)));
    }
    if (!failure_.ok()) {
      return absl::UnavailableError(
          fmt::format("MPI cannot start: {}", std::string(failure_.message())));
    }
    return world_;
  }

  Ticket Post(const Job& job) {
    const absl::MutexLock lock(&mutex_);
    jobs_.push_back(job);
    return ++posted_;
  }

  absl::Status Await(Ticket ticket, std::chrono::nanoseconds timeout) {
    const absl::MutexLock lock(&mutex_);
    const auto over = [this, ticket]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return completed_ >= ticket || !failure_.ok();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&over), absl::FromChrono(timeout));
    if (completed_ >= ticket) return absl::OkStatus();
    if (failure_.ok()) GiveUp(timeout);
    return failure_;
  }

  // Ends the thread.  True when it has finalised MPI and can be joined.
  bool Finish() {
    const absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return false;
    finishing_ = true;
    mutex_.AwaitWithTimeout(absl::Condition(&ended_), kFinaliseLimit);
    return ended_;
  }

 private:
  void Publish(const absl::Status& status, const MpiWorld& world) {
    const absl::MutexLock lock(&mutex_);
    if (failure_.ok()) failure_ = status;
    world_ = world;
    started_ = true;
  }

  bool Next(Job* job) {
    const absl::MutexLock lock(&mutex_);
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !jobs_.empty() || finishing_ || abandoned_;
    };
    mutex_.Await(absl::Condition(&ready));
    if (abandoned_ || jobs_.empty()) return false;
    *job = jobs_.front();
    jobs_.pop_front();
    working_ = true;
    doing_ = job->operation;
    return true;
  }

  absl::Status Do(const Job& job) {
    absl::Status status = MeetAllRanks(abandoned_);
    if (!status.ok()) return status;
    return job.operation == Operation::kSum ? SumOverRanks(job.buffer)
                                            : BroadcastFrom(job.buffer, job.root);
  }

  void Complete(const absl::Status& status) {
    const absl::MutexLock lock(&mutex_);
    working_ = false;
    if (status.ok()) {
      ++completed_;
    } else if (failure_.ok()) {
      failure_ =
          absl::Status(status.code(), fmt::format("collective {} ({}): {}", completed_ + 1,
                                                  NameOf(doing_), std::string(status.message())));
    }
  }

  void GiveUp(std::chrono::nanoseconds timeout) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    failure_ = absl::DeadlineExceededError(fmt::format(
        "collective {} ({}) did not end within {:.1f} s: another rank is late, stopped or lost",
        completed_ + 1, NameOf(doing_), std::chrono::duration<double>(timeout).count()));
    abandoned_ = true;
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !working_; };
    mutex_.AwaitWithTimeout(absl::Condition(&idle), kLetGoLimit);
  }

  absl::Mutex mutex_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  Ticket posted_ ABSL_GUARDED_BY(mutex_) = 0;
  Ticket completed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool working_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  Operation doing_ ABSL_GUARDED_BY(mutex_) = Operation::kSum;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  MpiWorld world_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> abandoned_ = false;
};

class Mpi : public train::Collective {
 public:
  Mpi(std::shared_ptr<Engine> engine, std::thread thread)
      : engine_(std::move(engine)), thread_(std::move(thread)) {}

  ~Mpi() override {
    if (engine_->Finish()) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }

  absl::Status Start(std::chrono::nanoseconds timeout) {
    const absl::StatusOr<MpiWorld> world = engine_->AwaitStart(absl::FromChrono(timeout));
    if (world.ok()) world_ = *world;
    return world.status();
  }

  int rank() const override { return world_.rank; }
  int world_size() const override { return world_.size; }
  Ticket StartAllReduceSum(train::Buffer buffer) override {
    return engine_->Post({.operation = Operation::kSum, .buffer = buffer});
  }
  Ticket StartBroadcast(train::Buffer buffer, int root) override {
    return engine_->Post({.operation = Operation::kBroadcast, .buffer = buffer, .root = root});
  }
  absl::Status Wait(Ticket ticket, std::chrono::nanoseconds timeout) override {
    return engine_->Await(ticket, timeout);
  }

 private:
  std::shared_ptr<Engine> engine_;
  std::thread thread_;
  MpiWorld world_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<train::Collective>> MakeMpi(std::chrono::nanoseconds timeout) {
  auto engine = std::make_shared<Engine>();
  std::thread thread([engine] { engine->Run(); });
  auto mpi = std::make_unique<Mpi>(engine, std::move(thread));
  const absl::Status started = mpi->Start(timeout);
  if (!started.ok()) return started;
  return mpi;
}

}  // namespace ltml::collective
