#include "coordinator/launch/lost_attempt.h"

#include <fmt/format.h>

#include <system_error>

#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/system.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/remote_sweep.h"
#include "coordinator/launch/run_lock.h"

namespace ltml::launch {
namespace {

constexpr std::chrono::seconds kSweepLimit(30);

void SweepOtherHosts(const std::filesystem::path& attempt_folder, v1::ExitRecord& record) {
  v1::LaunchPlan plan;
  if (const auto read = base::ReadJsonFile(attempt_folder / "launch.json", &plan); !read.ok()) {
    base::Log(base::LogLevel::kError, "plan_unreadable", "reason={}",
              base::LogValue(std::string(read.message())));
    return;
  }
  for (const std::string& failure : SweepHosts(plan, attempt_folder, {})) {
    record.add_unswept_hosts(failure);
  }
}

}  // namespace

absl::StatusOr<v1::ExitRecord> RecordLost(const LostAttempt& attempt, int already_swept) {
  const Sweep sweep = EndProcesses({.id = attempt.launch_id}, kSweepLimit);
  if (!sweep.left.empty()) {
    return absl::DeadlineExceededError(
        fmt::format("process {} of the attempt does not end", sweep.left.front()));
  }
  v1::ExitRecord record;
  SweepOtherHosts(attempt.attempt_folder, record);
  std::error_code ignored;
  std::filesystem::remove_all(ScratchFolder(attempt.launch_id), ignored);
  record.set_attempt_epoch(attempt.attempt_epoch);
  record.set_exit_status(-1);
  record.set_signal(attempt.signal);
  record.set_stop_reason(attempt.reason);
  record.set_swept_processes(already_swept + static_cast<int>(sweep.killed.size()));
  record.set_ended_unix_milliseconds(base::UnixMilliseconds());
  base::Log(base::LogLevel::kWarning, "supervisor_lost", "reason={} swept={}",
            base::LogValue(record.stop_reason()), record.swept_processes());
  if (const auto written = base::WriteJsonFile(attempt.attempt_folder / "exit.json", record);
      !written.ok()) {
    base::Log(base::LogLevel::kError, "exit_record_lost", "reason={}",
              base::LogValue(std::string(written.message())));
  }
  return record;
}

}  // namespace ltml::launch
