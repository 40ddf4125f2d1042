#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "coordinator/launch/control_socket.h"
#include "coordinator/launch/identity.h"
#include "coordinator/launch/launcher.h"
#include "coordinator/launch/lost_attempt.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/supervised_attempt.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;
using AttemptPointer = std::unique_ptr<Attempt>;

// From the start of a supervisor until its record and its control socket are there.
constexpr std::chrono::seconds kStartingLimit(10);
constexpr std::chrono::milliseconds kPoll(50);
// Looks for a process in a row, for one that is just being started.
constexpr int kLooks = 5;

class EndedAttempt : public Attempt {
 public:
  explicit EndedAttempt(v1::ExitRecord record) : record_(std::move(record)) {}
  absl::StatusOr<v1::ExitRecord> Wait(std::chrono::nanoseconds) override { return record_; }
  void Stop(const std::string&, bool) override {}

 private:
  const v1::ExitRecord record_;
};

AttemptPointer EndedWith(v1::ExitRecord record) {
  return std::make_unique<EndedAttempt>(std::move(record));
}

class Adoption {
 public:
  explicit Adoption(const AdoptOptions& options) : options_(options) {}

  absl::StatusOr<AttemptPointer> Run();

 private:
  // Null: nothing to be had yet.
  absl::StatusOr<AttemptPointer> Look();
  absl::StatusOr<AttemptPointer> LookAt(const v1::SupervisorRecord& record);
  AttemptPointer Ended() const;
  absl::StatusOr<AttemptPointer> Lost(const std::string& reason) const;

  const AdoptOptions& options_;
  const Clock::time_point deadline_ = Clock::now() + kStartingLimit;
  int looks_without_process_ = 0;
};

AttemptPointer Adoption::Ended() const {
  v1::ExitRecord record;
  const auto read = base::ReadJsonFile(options_.attempt_folder / "exit.json", &record);
  return read.ok() ? EndedWith(std::move(record)) : nullptr;
}

absl::StatusOr<AttemptPointer> Adoption::Lost(const std::string& reason) const {
  // It may have written its record since we looked.
  if (AttemptPointer ended = Ended()) return ended;
  LTML_ASSIGN_OR_RETURN(v1::ExitRecord record,
                        RecordLost({.attempt_folder = options_.attempt_folder,
                                    .attempt_epoch = options_.attempt_epoch,
                                    .launch_id = options_.launch_id,
                                    .reason = reason}));
  return EndedWith(std::move(record));
}

absl::StatusOr<AttemptPointer> Adoption::LookAt(const v1::SupervisorRecord& record) {
  if (record.launch_id() != options_.launch_id) {
    return absl::NotFoundError(fmt::format("'{}' holds an attempt with launch id {}, not {}",
                                           options_.attempt_folder.string(), record.launch_id(),
                                           options_.launch_id));
  }
  const ProcessIdentity identity{.boot_id = record.boot_id(),
                                 .process = record.process_id(),
                                 .start_ticks = record.start_ticks()};
  base::Descriptor watch = WatchProcess(identity);
  if (!watch.open()) {
    return Lost(IdentityOf(1).boot_id == identity.boot_id
                    ? "the supervisor was gone when the attempt was adopted"
                    : "the machine of the supervisor was restarted");
  }
  base::Descriptor control = ConnectControl(record.control_socket());
  // One that is ending has closed it, and leaves a record in a moment.
  if (!control.open() && Clock::now() < deadline_) return nullptr;
  return std::make_unique<SupervisedAttempt>(
      SupervisedAttemptOptions{.attempt_folder = options_.attempt_folder,
                               .attempt_epoch = options_.attempt_epoch,
                               .launch_id = options_.launch_id,
                               .outlives_owner = true},
      SupervisorHandle{
          .process = identity.process, .watch = std::move(watch), .control = std::move(control)});
}

absl::StatusOr<AttemptPointer> Adoption::Look() {
  if (AttemptPointer ended = Ended()) return ended;
  v1::SupervisorRecord record;
  if (base::ReadJsonFile(options_.attempt_folder / "supervisor.json", &record).ok()) {
    return LookAt(record);
  }
  const bool alive = !ProcessesOf({.id = options_.launch_id}).empty();
  looks_without_process_ = alive ? 0 : looks_without_process_ + 1;
  if (looks_without_process_ >= kLooks) {
    return absl::NotFoundError(
        fmt::format("the attempt in '{}' was never started", options_.attempt_folder.string()));
  }
  if (Clock::now() < deadline_) return nullptr;
  return Lost("the supervisor did not come to its beginning");
}

absl::StatusOr<AttemptPointer> Adoption::Run() {
  while (true) {
    LTML_ASSIGN_OR_RETURN(AttemptPointer attempt, Look());
    if (attempt != nullptr) return attempt;
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Attempt>> Adopt(const AdoptOptions& options) {
  return Adoption(options).Run();
}

}  // namespace ltml::launch
