#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/version.h"
#include "common/examine/host.h"
#include "coordinator/launch/agent.h"
#include "coordinator/launch/identity.h"
#include "coordinator/launch/processes.h"
#include "coordinator/launch/rank_wrapper.h"
#include "coordinator/launch/remote_sweep.h"
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
  ltml-supervisor --attempt DIR --control FD
      the attempt of DIR/launch.json; LTML_ATTEMPT and LTML_TOKEN come in the environment
  ltml-supervisor --rank DIR PROGRAM ARGUMENT...
      PROGRAM as a rank, which ends with the mpirun or orted that started it
  ltml-supervisor --agent ADDRESS COMMAND...
      mpirun's way to another host
  ltml-supervisor --sweep ID --spare PROCESS
      ends the processes of attempt ID on this machine but for PROCESS
  ltml-supervisor --examine QUESTION
      what would stop ranks on this machine; QUESTION and the answer are JSON

Example:
  ltml-supervisor --version
)";

int Refuse(const std::string& message) {
  fmt::print(stderr, "ltml-supervisor: {}; see ltml-supervisor --help\n", message);
  return kUsage;
}

std::optional<int64_t> ParseNumber(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

int SuperviseWith(const std::string& attempt, const std::string& descriptor) {
  const auto control = ParseNumber(descriptor);
  if (!control || *control < 3 || ::fcntl(static_cast<int>(*control), F_GETFD) < 0) {
    return Refuse("--control is no open socket");
  }
  ::fcntl(static_cast<int>(*control), F_SETFD, FD_CLOEXEC);
  return Supervise({.attempt_folder = attempt, .control = static_cast<int>(*control)});
}

int ExamineWith(const std::string& text) {
  v1::HostQuestion question;
  const absl::Status read =
      base::FromJson(text, "the question", &question, base::UnknownFields::kIgnore);
  if (!read.ok()) return Refuse(std::string(read.message()));
  const auto answer = base::ToJson(examine::Examine(question), true);
  if (!answer.ok()) return Refuse(std::string(answer.status().message()));
  fmt::print("{}\n", *answer);
  return 0;
}

int Main(int count, char** arguments) {
  base::ConfigureLogFromEnvironment();
  const std::vector<std::string> words(arguments + 1, arguments + count);
  const std::string first = words.empty() ? "" : words[0];
  if (first == "--help" || first == "-h") {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (first == "--version") {
    fmt::print("ltml-supervisor {}\n", base::Version());
    return 0;
  }
  if (first == "--rank" && words.size() > 2) return RunRank(arguments + 2);
  if (first == "--agent" && words.size() > 2) return RunAgent(count - 2, arguments + 2);
  if (first == "--sweep" && words.size() == 4 && words[2] == "--spare" && IsAttemptId(words[1])) {
    return SweepThisMachine(words[1], ParseIdentity(words[3])) ? 0 : 1;
  }
  if (first == "--examine" && words.size() == 2) return ExamineWith(words[1]);
  if (first == "--attempt" && words.size() == 4 && words[2] == "--control") {
    return SuperviseWith(words[1], words[3]);
  }
  return Refuse(words.empty() ? "it is started by ltml"
                              : fmt::format("'{}' and what follows is not understood", first));
}

}  // namespace
}  // namespace ltml::launch

int main(int count, char** arguments) { return ltml::launch::Main(count, arguments); }
