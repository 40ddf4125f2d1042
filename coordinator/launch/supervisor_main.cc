#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "coordinator/launch/logged_pipe.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/run_lock.h"
#include "coordinator/launch/supervisor.h"

namespace ltml::launch {
namespace {

constexpr int kUsage = 2;
constexpr char kHelp[] =
    R"(ltml-supervisor: runs one attempt of a job (mpirun and its ranks) and ends all of it.
ltml starts it; by hand there is no use for it but these:

  ltml-supervisor --help       this text
  ltml-supervisor --version    the version

How ltml calls it (docs/launch.md):
  ltml-supervisor --run DIR --attempt DIR --worker PROGRAM --epoch N --ranks N
                  --grace-ms N --lock-wait-ms N --control FD
      one attempt; LTML_ATTEMPT and LTML_TOKEN come in the environment
  ltml-supervisor --rank PROGRAM ARGUMENT...
      becomes PROGRAM, which ends with the mpirun that started it

Example:
  ltml-supervisor --version
)";

int Refuse(const std::string& message) {
  fmt::print(stderr, "ltml-supervisor: {}; see ltml-supervisor --help\n", message);
  return kUsage;
}

// The life of a rank hangs on mpirun's, so that nothing goes on when mpirun was killed.
int BecomeRank(char** arguments) {
  const char* mpirun = std::getenv("LTML_MPIRUN");
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (mpirun == nullptr || std::atol(mpirun) != ::getppid()) {
    return Refuse("--rank is for mpirun only, and mpirun is gone");
  }
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  const char* attempt = std::getenv(kAttemptVariable);
  if (rank != nullptr && attempt != nullptr) {
    JoinRankPipe(RankPipe(ScratchFolder(attempt), std::atoi(rank)));
  }
  ::execv(arguments[0], arguments);
  fmt::print(stderr, "ltml-supervisor: cannot run '{}': {}\n", arguments[0],
             std::generic_category().message(errno));
  return 127;
}

std::optional<int64_t> ParseNumber(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

int SuperviseWith(std::map<std::string, std::string> values) {
  std::map<std::string, int64_t> numbers;
  for (const char* name : {"--epoch", "--ranks", "--grace-ms", "--lock-wait-ms", "--control"}) {
    const auto number = ParseNumber(values[name]);
    if (!number) return Refuse(fmt::format("{} needs a number, got '{}'", name, values[name]));
    numbers[name] = *number;
  }
  for (const char* name : {"--run", "--attempt", "--worker"}) {
    if (values[name].empty()) return Refuse(fmt::format("{} needs a path", name));
  }
  if (std::getenv(kAttemptVariable) == nullptr) {
    return Refuse(fmt::format("{} is not in the environment", kAttemptVariable));
  }
  const int control = static_cast<int>(numbers["--control"]);
  if (control < 3 || ::fcntl(control, F_GETFD) < 0) return Refuse("--control is no open socket");
  ::fcntl(control, F_SETFD, FD_CLOEXEC);
  return Supervise({.run_folder = values["--run"],
                    .attempt_folder = values["--attempt"],
                    .worker = values["--worker"],
                    .attempt_epoch = numbers["--epoch"],
                    .ranks = static_cast<int>(numbers["--ranks"]),
                    .stop_grace = std::chrono::milliseconds(numbers["--grace-ms"]),
                    .lock_wait = std::chrono::milliseconds(numbers["--lock-wait-ms"]),
                    .control = control});
}

int Main(int count, char** arguments) {
  const std::string_view first = count > 1 ? arguments[1] : "";
  if (first == "--help" || first == "-h") {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (first == "--version") {
    fmt::print("ltml-supervisor {}\n", LTML_VERSION);
    return 0;
  }
  if (first == "--rank" && count > 2) return BecomeRank(arguments + 2);
  if (count < 2) return Refuse("it is started by ltml");
  std::map<std::string, std::string> values;
  for (int index = 1; index < count; index += 2) {
    if (index + 1 == count) return Refuse(fmt::format("'{}' needs a value", arguments[index]));
    values[arguments[index]] = arguments[index + 1];
  }
  for (const auto& [name, value] : values) {
    if (std::string_view(kHelp).find(name + " ") == std::string_view::npos) {
      return Refuse(fmt::format("unknown argument '{}'", name));
    }
  }
  return SuperviseWith(std::move(values));
}

}  // namespace
}  // namespace ltml::launch

int main(int count, char** arguments) { return ltml::launch::Main(count, arguments); }
