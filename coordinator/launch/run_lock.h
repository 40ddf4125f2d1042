#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/base/descriptor.h"

namespace ltml::launch {

struct RunLockOptions {
  std::filesystem::path run_folder;
  std::string attempt_id;
  int64_t attempt_epoch = 0;
  std::chrono::nanoseconds wait{};  // how long an older attempt may keep it
  std::function<bool()> abandoned;  // asked every 20 ms: nobody wants the lock any more
};

// RUN/lock: flock'ed by the supervisor of the one attempt that may use the run folder, for as long
// as any process of the attempt lives.  The file names the attempt, so that the next holder finds
// what a supervisor that was killed may have left: it ends those processes and removes their
// scratch folder before it goes on.  Released on destruction.
class RunLock {
 public:
  // FailedPrecondition when it is held beyond `wait`; Cancelled when abandoned; Internal when the
  // folder cannot be written.
  static absl::StatusOr<RunLock> Take(const RunLockOptions& options);

 private:
  explicit RunLock(base::Descriptor file) : file_(std::move(file)) {}
  base::Descriptor file_;
};

// Where an attempt's mpirun keeps session files and shared memory: a folder below /dev/shm, or
// below /tmp where that cannot be written.
std::filesystem::path ScratchFolder(const std::string& attempt_id);

}  // namespace ltml::launch
