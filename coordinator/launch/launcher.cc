#include "coordinator/launch/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "coordinator/launch/descriptor.h"
#include "coordinator/launch/mpirun_command.h"
#include "coordinator/launch/mpirun_report.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/run_lock.h"

extern char** environ;

namespace ltml::launch {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kControl = 3;  // its number in the supervisor
constexpr std::chrono::seconds kStartLimit(30);
constexpr milliseconds kStartPoll(50);
// For the supervisor's own work after the grace is over.
constexpr std::chrono::seconds kSweepMargin(5);
constexpr std::chrono::seconds kSweepLimit(30);

std::string Reason(int error) { return std::generic_category().message(error); }

int64_t Milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::ceil<milliseconds>(time).count();
}

int64_t UnixMilliseconds() {
  return Milliseconds(std::chrono::system_clock::now().time_since_epoch());
}

int PollTimeout(Clock::time_point deadline) {
  const int64_t left = Milliseconds(deadline - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1 << 30));
}

// Waits until the descriptor is readable or at its end.
bool WaitReadable(int descriptor, Clock::time_point deadline) {
  while (true) {
    pollfd entry{descriptor, POLLIN, 0};
    const int ready = ::poll(&entry, 1, PollTimeout(deadline));
    if (ready > 0) return true;
    if (ready == 0 && Clock::now() >= deadline) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

absl::StatusOr<std::filesystem::path> ProgramFolder() {
  const char* given = std::getenv("LTML_BIN_DIR");
  if (given != nullptr && *given != '\0') return std::filesystem::absolute(given);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return absl::InternalError(fmt::format("cannot find this program: {}", error.message()));
  }
  return self.parent_path();
}

absl::StatusOr<std::filesystem::path> FindProgram(const std::filesystem::path& path) {
  if (::access(path.c_str(), X_OK) == 0) return path;
  return absl::NotFoundError(
      fmt::format("no program '{}': {}; build or install all of ltml's programs into one folder",
                  path.string(), Reason(errno)));
}

struct Programs {
  std::filesystem::path supervisor;
  std::filesystem::path worker;
};

absl::StatusOr<Programs> FindPrograms() {
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path folder, ProgramFolder());
  const char* worker = std::getenv("LTML_WORKER");
  const bool given = worker != nullptr && *worker != '\0';
  Programs programs;
  LTML_ASSIGN_OR_RETURN(programs.supervisor, FindProgram(folder / "ltml-supervisor"));
  LTML_ASSIGN_OR_RETURN(programs.worker, FindProgram(given ? std::filesystem::absolute(worker)
                                                           : folder / "ltml-worker"));
  return programs;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int Ranks(const LaunchOptions& options) {
  int ranks = 0;
  for (const RankHost& host : options.hosts) ranks += host.ranks;
  return ranks;
}

std::vector<std::string> SupervisorArguments(const LaunchOptions& options,
                                             const Programs& programs) {
  return {programs.supervisor.string(),
          "--run",
          std::filesystem::absolute(options.run_folder).string(),
          "--attempt",
          std::filesystem::absolute(options.attempt_folder).string(),
          "--worker",
          programs.worker.string(),
          "--epoch",
          fmt::format("{}", options.attempt_epoch),
          "--ranks",
          fmt::format("{}", Ranks(options)),
          "--grace-ms",
          fmt::format("{}", Milliseconds(options.stop_grace)),
          "--lock-wait-ms",
          fmt::format("{}", Milliseconds(options.lock_wait)),
          "--control",
          fmt::format("{}", kControl)};
}

// What the supervisor starts with: nothing of this program but its log file and the control socket.
class SpawnPlan {
 public:
  SpawnPlan(const std::filesystem::path& log, int control) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_adddup2(&actions_, control, kControl);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, kControl + 1);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t set;
    sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes_, &set);
    sigfillset(&set);
    ::posix_spawnattr_setsigdefault(&attributes_, &set);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  absl::StatusOr<pid_t> Spawn(std::vector<std::string> arguments,
                              std::vector<std::string> environment) {
    pid_t process = -1;
    const int error = ::posix_spawn(&process, arguments[0].c_str(), &actions_, &attributes_,
                                    Pointers(arguments).data(), Pointers(environment).data());
    if (error == 0) return process;
    return absl::InternalError(fmt::format("cannot start '{}': {}", arguments[0], Reason(error)));
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

class SupervisedAttempt : public Attempt {
 public:
  SupervisedAttempt(const LaunchOptions& options, pid_t supervisor, Descriptor process,
                    Descriptor control)
      : options_(options),
        mark_{.id = options.launch_id, .supervisor = supervisor},
        process_(std::move(process)),
        control_(std::move(control)) {}

  ~SupervisedAttempt() override {
    if (ended_.has_value()) return;
    Stop("the attempt is not wanted any more", true);
    if (Wait(options_.stop_grace + kSweepMargin).ok()) return;
    // Frozen: the kernel ends mpirun and the ranks with it, and Wait the rest.
    ::kill(mark_.supervisor, SIGKILL);
    (void)Wait(kSweepLimit);
  }

  absl::Status WaitForStart();

  absl::StatusOr<v1::ExitRecord> Wait(std::chrono::nanoseconds timeout) override {
    const std::lock_guard lock(mutex_);
    if (ended_.has_value()) return *ended_;
    if (!WaitReadable(process_.number(), Clock::now() + timeout)) {
      return absl::DeadlineExceededError(
          fmt::format("the attempt in '{}' has not ended", options_.attempt_folder.string()));
    }
    LTML_ASSIGN_OR_RETURN(ended_, ReadRecord());
    return *ended_;
  }

  void Stop(const std::string& reason, bool at_once) override {
    std::string line = fmt::format("{} {}", at_once ? "stop-now" : "stop", reason);
    std::ranges::replace(line, '\n', ' ');
    line.resize(std::min<size_t>(line.size(), 1000));
    line += '\n';
    // Fails only when the supervisor is gone.
    (void)::send(control_.number(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

 private:
  absl::Status Abandon();
  absl::StatusOr<v1::ExitRecord> ReadRecord();
  v1::ExitRecord RecordForSupervisor(int supervisor_status, int swept);

  const LaunchOptions options_;
  const AttemptMark mark_;
  const Descriptor process_;  // readable when the supervisor has ended
  const Descriptor control_;
  std::mutex mutex_;
  std::optional<v1::ExitRecord> ended_;  // guarded by mutex_
};

// The supervisor must not be waited for before the sweep: its process id marks the session.
absl::StatusOr<v1::ExitRecord> SupervisedAttempt::ReadRecord() {
  const Sweep sweep = EndProcesses(mark_, kSweepLimit);
  if (!sweep.left.empty()) {
    return absl::DeadlineExceededError(
        fmt::format("process {} of the attempt does not end", sweep.left.front()));
  }
  int status = 0;
  while (::waitpid(mark_.supervisor, &status, 0) < 0 && errno == EINTR) {
  }
  v1::ExitRecord record;
  if (base::ReadJsonFile(options_.attempt_folder / "exit.json", &record).ok()) return record;
  return RecordForSupervisor(status, static_cast<int>(sweep.killed.size()));
}

v1::ExitRecord SupervisedAttempt::RecordForSupervisor(int supervisor_status, int swept) {
  std::error_code ignored;
  std::filesystem::remove_all(ScratchFolder(mark_.id), ignored);
  v1::ExitRecord record;
  record.set_attempt_epoch(options_.attempt_epoch);
  record.set_exit_status(-1);
  record.set_swept_processes(swept);
  record.set_ended_unix_milliseconds(UnixMilliseconds());
  if (WIFSIGNALED(supervisor_status)) {
    record.set_signal(WTERMSIG(supervisor_status));
    record.set_stop_reason(
        fmt::format("the supervisor was killed by signal {}", WTERMSIG(supervisor_status)));
  } else {
    record.set_stop_reason(fmt::format("the supervisor ended with status {} and no exit record",
                                       WEXITSTATUS(supervisor_status)));
  }
  base::Log(base::LogLevel::kWarning, "supervisor_lost", "reason={} swept={}",
            base::LogValue(record.stop_reason()), swept);
  // The supervisor is waited for: from here on the record stands, whether it can be written or not.
  if (const auto written = base::WriteJsonFile(options_.attempt_folder / "exit.json", record);
      !written.ok()) {
    base::Log(base::LogLevel::kError, "exit_record_lost", "reason={}",
              base::LogValue(std::string(written.message())));
  }
  return record;
}

// The end of the control socket frees a supervisor that waits for the lock.
absl::Status SupervisedAttempt::Abandon() {
  Stop("interrupted", true);
  ::shutdown(control_.number(), SHUT_WR);
  return absl::CancelledError("interrupted before the attempt started");
}

absl::Status SupervisedAttempt::WaitForStart() {
  const Clock::time_point deadline = Clock::now() + options_.lock_wait + kStartLimit;
  std::string text;
  while (text.find('\n') == std::string::npos) {
    if (!WaitReadable(control_.number(), std::min(deadline, Clock::now() + kStartPoll))) {
      if (options_.abandoned && options_.abandoned()) return Abandon();
      if (Clock::now() < deadline) continue;
      return absl::DeadlineExceededError("the supervisor does not say that the attempt started");
    }
    std::array<char, 4096> buffer;
    const ssize_t count = ::recv(control_.number(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::InternalError(
          fmt::format("the supervisor ended before the attempt started: {}",
                      LogTail(options_.attempt_folder / "supervisor.log", 1000)));
    }
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  text.resize(text.find('\n'));
  if (text == "started") return absl::OkStatus();
  const std::string message = text.substr(text.find(' ') + 1);
  return text.starts_with("locked ") ? absl::FailedPreconditionError(message)
                                     : absl::InternalError(message);
}

absl::Status CheckOptions(const LaunchOptions& options) {
  if (Ranks(options) < 1 || options.threads_per_rank < 1) {
    return absl::InvalidArgumentError(
        fmt::format("an attempt needs at least one rank and one thread, got {} and {}",
                    Ranks(options), options.threads_per_rank));
  }
  if (::geteuid() == 0 && !options.allow_root) {
    return absl::FailedPreconditionError(
        "jobs must not run as root: start the server as another user, or allow root in its "
        "configuration");
  }
  if (!std::filesystem::is_directory(options.run_folder)) {
    return absl::NotFoundError(fmt::format("no run folder '{}'", options.run_folder.string()));
  }
  std::error_code error;
  std::filesystem::create_directories(options.attempt_folder, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot create '{}': {}", options.attempt_folder.string(), error.message()));
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) result.emplace_back(*entry);
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Attempt>> Launch(const LaunchOptions& options) {
  LTML_RETURN_IF_ERROR(CheckOptions(options));
  LTML_ASSIGN_OR_RETURN(const Programs programs, FindPrograms());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return absl::InternalError(fmt::format("cannot make a socket pair: {}", Reason(errno)));
  }
  Descriptor own(pair[0]);
  const Descriptor other(pair[1]);
  SpawnPlan plan(options.attempt_folder / "supervisor.log", other.number());
  LTML_ASSIGN_OR_RETURN(
      const pid_t supervisor,
      plan.Spawn(
          SupervisorArguments(options, programs),
          AttemptEnvironment(OwnEnvironment(), {.attempt_id = options.launch_id,
                                                .token = options.token,
                                                .threads_per_rank = options.threads_per_rank})));
  Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, supervisor, 0)));
  if (!process.open()) {
    const int error = errno;
    ::kill(supervisor, SIGKILL);
    ::waitpid(supervisor, nullptr, 0);
    return absl::InternalError(fmt::format("cannot watch the supervisor: {}", Reason(error)));
  }
  auto attempt =
      std::make_unique<SupervisedAttempt>(options, supervisor, std::move(process), std::move(own));
  LTML_RETURN_IF_ERROR(attempt->WaitForStart());
  return attempt;
}

}  // namespace ltml::launch
