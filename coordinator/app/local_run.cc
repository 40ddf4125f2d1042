#include "coordinator/app/local_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <system_error>

#include "common/base/files.h"
#include "common/base/proto_time.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "common/run/folder.h"
#include "coordinator/rpc/worker_server.h"

namespace ltml::coordinator {
namespace {

int64_t LastEpoch(const std::filesystem::path& attempts) {
  int64_t last = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(attempts, error)) {
    const std::string name = entry.path().filename().string();
    int64_t number = 0;
    const auto [end, parsed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed == std::errc() && end == name.data() + name.size()) last = std::max(last, number);
  }
  return last;
}

// Makes a folder of its own, also when two programs try at the same time, and returns its epoch.
absl::StatusOr<int64_t> NewAttemptFolder(const std::filesystem::path& run_folder) {
  const std::filesystem::path attempts = run_folder / "attempts";
  std::error_code error;
  std::filesystem::create_directories(attempts, error);
  for (int64_t epoch = LastEpoch(attempts) + 1; !error; ++epoch) {
    if (std::filesystem::create_directory(run::AttemptFolder(run_folder, epoch), error)) {
      return epoch;
    }
  }
  return absl::InternalError(
      fmt::format("cannot create a folder in '{}': {}", attempts.string(), error.message()));
}

launch::LaunchOptions LaunchHere(const LocalRunOptions& options, int64_t epoch,
                                 const std::string& token) {
  const v1::JobSpec& job = options.task.job();
  return {.run_folder = options.folder,
          .attempt_folder = run::AttemptFolder(options.folder, epoch),
          .attempt_epoch = epoch,
          .launch_id = base::RandomToken(),
          .hosts = {{.address = "localhost", .ranks = options.ranks}},
          .threads_per_rank = std::max(job.resources().threads_per_rank(), 1),
          .on_gpu = job.resources().device() == v1::Resources::DEVICE_CUDA,
          .token = token,
          .stop_grace = StopGrace(job.limits()),
          .lock_wait = base::ToNanoseconds(job.limits().stop())};
}

}  // namespace

absl::StatusOr<jobs::RunOutcome> RunLocally(const LocalRunOptions& options) {
  LTML_ASSIGN_OR_RETURN(const int64_t epoch, NewAttemptFolder(options.folder));
  LTML_ASSIGN_OR_RETURN(const base::PrivateFolder socket_folder,
                        base::PrivateFolder::Create("ltml"));
  const std::string address = fmt::format("unix:{}", (socket_folder.path() / "socket").string());
  LTML_ASSIGN_OR_RETURN(const auto server, WorkerServer::Start(address));
  const std::string token = base::RandomToken();
  AttemptRunOptions attempt;
  attempt.task = options.task;
  attempt.task.set_attempt_epoch(epoch);
  attempt.task.set_coordinator(address);
  attempt.task.set_classes(options.classes);
  attempt.ranks = options.ranks;
  attempt.start = LaunchHere(options, epoch, token);
  attempt.gateway = &server->gateway();
  attempt.token_sha256 = base::TokenDigest(token);
  attempt.events = options.events;
  attempt.interrupt = options.interrupt;
  LTML_ASSIGN_OR_RETURN(const auto run, AttemptRun::Create(std::move(attempt)));
  absl::StatusOr<jobs::RunOutcome> outcome = run->Run();
  if (absl::IsFailedPrecondition(outcome.status()) || absl::IsCancelled(outcome.status())) {
    std::error_code ignored;
    std::filesystem::remove_all(run::AttemptFolder(options.folder, epoch), ignored);
  }
  return outcome;
}

}  // namespace ltml::coordinator
