#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/base/descriptor.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/lost_attempt.h"
#include "coordinator/launch/processes.h"

namespace ltml::launch {

// The supervisor as this program sees it.
struct SupervisorHandle {
  pid_t process = 0;
  bool is_child = false;       // then it must be waited for
  base::Descriptor watch{};    // readable when it has ended
  base::Descriptor control{};  // takes stop lines; may be missing where it is no child
};

struct SupervisedAttemptOptions {
  std::filesystem::path attempt_folder;
  int64_t attempt_epoch = 1;
  std::string launch_id;
  std::chrono::nanoseconds end_limit{};  // of EndNow, before it kills the supervisor
  bool outlives_owner = false;
};

// An attempt with a living supervisor, launched or adopted.  Thread-safe.
class SupervisedAttempt : public Attempt {
 public:
  SupervisedAttempt(SupervisedAttemptOptions options, SupervisorHandle supervisor)
      : options_(std::move(options)), supervisor_(std::move(supervisor)) {}
  ~SupervisedAttempt() override;

  // Until mpirun runs; of a launched one.  The errors of Launch.
  absl::Status WaitForStart(std::chrono::nanoseconds lock_wait,
                            const std::function<bool()>& abandoned);
  // Ends it although it would outlive this program.
  void EndNow(const std::string& reason);

  absl::StatusOr<v1::ExitRecord> Wait(std::chrono::nanoseconds timeout) override;
  void Stop(const std::string& reason, bool at_once) override;

 private:
  absl::Status Abandon();
  absl::StatusOr<v1::ExitRecord> ReadRecord();

  const SupervisedAttemptOptions options_;
  const SupervisorHandle supervisor_;
  std::mutex mutex_;
  std::optional<v1::ExitRecord> ended_;  // guarded by mutex_
};

}  // namespace ltml::launch
