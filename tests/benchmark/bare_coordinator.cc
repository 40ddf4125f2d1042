// bare_coordinator TASK.json RANKS, for overhead_benchmark.py: sessions for the ranks of one task,
// at the Unix socket that the task names and with the token in LTML_TOKEN; no store, no processes,
// no TLS.  Says "ready", and ends with its input.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/token_digest.h"
#include "coordinator/rpc/worker_server.h"
#include "ltml/v1/run.pb.h"

namespace ltml {
namespace {

coordinator::AttemptSessionsOptions OptionsOf(const v1::WorkerTask& task, int ranks) {
  coordinator::AttemptSessionsOptions options;
  options.job_id = task.job_id();
  options.attempt.epoch = task.attempt_epoch();
  options.attempt.world_size = ranks;
  options.attempt.classes = task.classes();
  options.attempt.steps = task.job().schedule().steps();
  options.attempt.window = task.job().loss().statistics_window();
  options.attempt.decay = task.job().loss().statistics_decay();
  options.attempt.prior = task.job().loss().statistics_prior();
  options.token_sha256 = base::TokenDigest(std::getenv("LTML_TOKEN"));
  options.lease = base::ToNanoseconds(task.job().limits().lease());
  return options;
}

absl::Status Run(const char* task_file, int ranks) {
  v1::WorkerTask task;
  absl::Status status = base::ReadJsonFile(task_file, &task);
  if (!status.ok()) return status;
  const auto server = coordinator::WorkerServer::Start(task.coordinator());
  if (!server.ok()) return server.status();
  const auto sessions = (*server)->gateway().Add(OptionsOf(task, ranks));
  if (!sessions.ok()) return sessions.status();
  fmt::print("ready\n");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace ltml

int main(int count, char** arguments) {
  if (count != 3 || std::getenv("LTML_TOKEN") == nullptr) return 2;
  const absl::Status status = ltml::Run(arguments[1], std::atoi(arguments[2]));
  if (!status.ok()) fmt::print(stderr, "bare_coordinator: {}\n", std::string(status.message()));
  return status.ok() ? 0 : 1;
}
