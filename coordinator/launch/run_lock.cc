#include "coordinator/launch/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "coordinator/launch/processes.h"

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll(20);
constexpr std::chrono::seconds kLeftoverLimit(10);

absl::Status LockError(const std::filesystem::path& file, int error) {
  return absl::InternalError(
      fmt::format("cannot lock '{}': {}", file.string(), std::generic_category().message(error)));
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

absl::Status WaitForLock(const base::Descriptor& file, const std::filesystem::path& path,
                         const RunLockOptions& options) {
  const Clock::time_point deadline = Clock::now() + options.wait;
  while (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return LockError(path, errno);
    if (options.abandoned()) return absl::CancelledError("nobody waits for the attempt any more");
    if (Clock::now() >= deadline) {
      return absl::FailedPreconditionError(fmt::format(
          "run folder '{}' is in use by another attempt ({}); wait for it, or stop it",
          options.run_folder.string(), FirstLine(base::ReadFile(path).value_or("unknown"))));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return absl::OkStatus();
}

// The id ends the first line; see WriteHolder.
std::string LastHolder(const std::filesystem::path& path) {
  const std::string line = FirstLine(base::ReadFile(path).value_or(""));
  const std::string id = line.substr(line.rfind(' ') + 1);
  return IsAttemptId(id) ? id : "";
}

absl::Status EndLeftovers(const std::string& attempt_id) {
  if (attempt_id.empty()) return absl::OkStatus();
  const Sweep sweep = EndProcesses({.id = attempt_id}, kLeftoverLimit);
  if (!sweep.killed.empty()) {
    base::Log(base::LogLevel::kWarning, "leftovers_ended", "attempt_id={} processes={}", attempt_id,
              sweep.killed.size());
  }
  if (!sweep.left.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("process {} of an earlier attempt cannot be ended; see what it waits for in "
                    "/proc/{}/stack, or restart the machine",
                    sweep.left.front(), sweep.left.front()));
  }
  std::error_code ignored;
  std::filesystem::remove_all(ScratchFolder(attempt_id), ignored);
  return absl::OkStatus();
}

absl::Status WriteHolder(const base::Descriptor& file, const std::filesystem::path& path,
                         const RunLockOptions& options) {
  const std::string text = fmt::format("attempt {}, supervisor {}, id {}\n", options.attempt_epoch,
                                       ::getpid(), options.attempt_id);
  if (::ftruncate(file.number(), 0) != 0 ||
      ::pwrite(file.number(), text.data(), text.size(), 0) != std::ssize(text)) {
    return LockError(path, errno);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunLock> RunLock::Take(const RunLockOptions& options) {
  const std::filesystem::path path = options.run_folder / "lock";
  base::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file.open()) return LockError(path, errno);
  LTML_RETURN_IF_ERROR(WaitForLock(file, path, options));
  LTML_RETURN_IF_ERROR(EndLeftovers(LastHolder(path)));
  LTML_RETURN_IF_ERROR(WriteHolder(file, path, options));
  return RunLock(std::move(file));
}

std::filesystem::path ScratchFolder(const std::string& attempt_id) {
  const char* parent = ::access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
  return fmt::format("{}/ltml-{}", parent, attempt_id.substr(0, 16));
}

}  // namespace ltml::launch
