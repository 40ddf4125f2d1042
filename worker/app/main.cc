// ltml-worker TASK.json: one rank of an attempt.  Started by mpirun, which the supervisor starts.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "common/base/cpu.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "worker/app/cause.h"
#include "worker/app/device.h"
#include "worker/app/evaluate_task.h"
#include "worker/app/options.h"
#include "worker/app/resume.h"
#include "worker/app/stop_signal.h"
#include "worker/app/training.h"
#include "worker/collective/collectives.h"
#include "worker/model/torch_status.h"

namespace ltml::worker {
namespace {

constexpr std::chrono::seconds kFlushLimit(1);

session::SessionOptions SessionOptionsOf(const Rank& rank, const StartingPoint& start) {
  session::SessionOptions options;
  options.coordinator = rank.task.coordinator();
  options.authority = rank.task.authority();
  options.job_id = rank.task.job_id();
  const char* token = std::getenv("LTML_TOKEN");
  options.token = token == nullptr ? "" : token;
  options.attempt_epoch = rank.task.attempt_epoch();
  options.rank = rank.rank();
  options.world_size = rank.world_size();
  options.classes = rank.task.classes();
  options.connect_limit = base::ToNanoseconds(rank.task.job().limits().start());
  options.lease = base::ToNanoseconds(rank.task.job().limits().lease());
  options.training = rank.task.kind() == v1::WorkerTask::KIND_TRAIN;
  if (rank.is_first() && start.state) options.resume = start.state->statistics();
  return options;
}

absl::StatusOr<v1::Finished> Work(Rank& rank, const StartingPoint& start) {
  if (rank.task.kind() == v1::WorkerTask::KIND_TRAIN) return Train(rank, start);
  return RunEvaluation(rank);
}

absl::Status Connect(Rank& rank, StartingPoint& start) {
  const auto limit = base::ToNanoseconds(rank.task.job().limits().start());
  LTML_ASSIGN_OR_RETURN(rank.host_collective, collective::MakeMpi(limit));
  base::SetLogContext(fmt::format("rank={}", rank.rank()));
  absl::StatusOr<StartingPoint> found = FindStartingPoint(
      rank.task, *rank.host_collective, base::ToNanoseconds(rank.task.job().limits().checkpoint()));
  if (found.ok()) start = *found;
  // Also after a failure, which the coordinator must hear of.
  LTML_ASSIGN_OR_RETURN(rank.session, session::Session::Open(SessionOptionsOf(rank, start)));
  LTML_RETURN_IF_ERROR(found.status());
  if (rank.task.kind() == v1::WorkerTask::KIND_TRAIN) {
    LTML_RETURN_IF_ERROR(CheckPrecision(rank.task.job(), base::HasBfloat16()));
  }
  LTML_ASSIGN_OR_RETURN(rank.device, OpenDevice(rank.task, *rank.host_collective));
  return absl::OkStatus();
}

// A failed rank leaves at once: waiting in MPI_Finalize for ranks that wait for it would hang, and
// mpirun ends the others when one leaves without it.
[[noreturn]] void LeaveFailed(Rank& rank, const absl::Status& status) {
  base::Log(base::LogLevel::kError, "rank_failed", "cause={} message={}",
            v1::FailureCause_Name(CauseOf(status)), base::LogValue(std::string(status.message())));
  if (rank.session != nullptr) rank.session->Fail(CauseOf(status), std::string(status.message()));
  std::fflush(nullptr);
  base::FlushLog(kFlushLimit);
  _exit(1);
}

int Main(const char* task_file) {
  base::ConfigureLogFromEnvironment();
  const base::BackgroundLog background;
  std::signal(SIGINT, SIG_IGN);
  CatchStopSignal();
  PrepareDevices();
  Rank rank;
  StartingPoint start;
  if (absl::Status read = base::ReadJsonFile(task_file, &rank.task); !read.ok()) {
    LeaveFailed(rank, read);
  }
  at::set_num_interop_threads(1);
  at::set_num_threads(rank.task.job().resources().threads_per_rank());
  const absl::Status connected = model::CatchTorch([&] { return Connect(rank, start); });
  if (!connected.ok()) LeaveFailed(rank, connected);
  const absl::StatusOr<v1::Finished> finished =
      model::CatchTorch([&] { return Work(rank, start); });
  if (!finished.ok()) LeaveFailed(rank, finished.status());
  rank.session->Finish(*finished);
  return 0;
}

}  // namespace
}  // namespace ltml::worker

int main(int argc, char** argv) {
  if (argc == 2 && argv[1][0] != '-') return ltml::worker::Main(argv[1]);
  const bool help = argc == 2 && std::strcmp(argv[1], "--help") == 0;
  std::fputs(
      "usage: ltml-worker TASK.json\n\n"
      "One rank of a job.  Started by ltml through mpirun, not by hand.\n"
      "Example: ltml train examples/clipart/job.toml\n",
      help ? stdout : stderr);
  return help ? 0 : 2;
}
