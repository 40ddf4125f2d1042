#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace ltml::data {

// Makes numbered batches ahead of their reader, in a ring of slots, with a fixed number of threads
// that share the items of one batch and then go on to the next.  The maker owns the slots' memory.
class Prefetcher {
 public:
  class Maker {
   public:
    virtual ~Maker() = default;
    // Prepares `slot` for batch `number` and says how many items it has (0 is fine).  Calls never
    // overlap, and none for a slot whose batch is being made or read.
    virtual int64_t Plan(int64_t number, int slot) = 0;
    // Makes one item in [0, items) on the thread numbered `thread` in [0, threads).  Calls for
    // different items overlap; those of one thread do not.
    virtual absl::Status Work(int slot, int64_t item, int thread) = 0;
  };

  // The numbers first, first + stride, ... below end.  stride >= 1.
  struct Sequence {
    int64_t first = 0, end = 0, stride = 1;
  };

  // threads, slots >= 1; `maker` must outlive the object.  ResourceExhausted when the system gives
  // no more threads.
  static absl::StatusOr<std::unique_ptr<Prefetcher>> Create(int threads, int slots, Maker& maker);
  // Waits for the items being made, not for those planned.
  ~Prefetcher();

  // Forgets the sequence before and begins to make this one.  DeadlineExceeded when items of the
  // one before are still being made after `timeout`.
  absl::Status Start(const Sequence& sequence, std::chrono::nanoseconds timeout);
  // The number that Next must be asked for; the end of the sequence or later when it is over, -1
  // without a sequence.
  int64_t expected() const;
  // The slot of batch `number`, which must be the expected one; it stays untouched until the next
  // call of Next or Start.  Otherwise the batch's error of the lowest item, or DeadlineExceeded;
  // then the same number stays expected.
  absl::StatusOr<int> Next(int64_t number, std::chrono::nanoseconds timeout);

 private:
  struct Batch {
    int64_t items = 0, handed = 0, done = 0;
    absl::Status error;
    int64_t error_item = 0;
  };
  struct Item {
    int slot = 0;
    int64_t item = 0;
  };

  static constexpr Sequence kNone = {-1, -1, 1};

  Prefetcher(int slots, Maker& maker) : maker_(maker), batches_(slots) {}
  absl::Status StartThreads(int threads);
  void Run(int thread);

  int SlotOf(int64_t index) const { return static_cast<int>(index % std::ssize(batches_)); }
  int64_t NumberOf(int64_t index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanHand() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsReady(int64_t index) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Item> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Open() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(const Item& item, absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Maker& maker_;
  mutable absl::Mutex mutex_;
  // Batches of a sequence count from 0; those below reading_ are free again, those below opened_
  // are planned.
  Sequence sequence_ ABSL_GUARDED_BY(mutex_) = kNone;
  int64_t opened_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t reading_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t expected_ ABSL_GUARDED_BY(mutex_) = 0;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Batch> batches_;  // [slots]; guarded by mutex_, its size is constant
  std::vector<std::thread> threads_;
};

}  // namespace ltml::data
