#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

// A share of the ranks on one host, in the order of ranks.
struct RankHost {
  std::string address;  // as mpirun names it; "localhost" is this machine
  int ranks = 1;
};

// How ranks on other hosts are started and reached.  Not asked when all ranks are local.
struct RemoteOptions {
  // Program and options; called as AGENT... -- ADDRESS COMMAND, where COMMAND is one argument for a
  // shell on that host.
  std::vector<std::string> agent;
  std::vector<std::string> interfaces;  // of MPI, names or networks; empty: Open MPI chooses
  std::filesystem::path programs;       // folder of our programs on all hosts; empty: as here
};

struct LaunchOptions {
  std::filesystem::path run_folder;  // its `lock` is held while any process of the attempt lives
  std::filesystem::path attempt_folder;  // rank logs, task.json, supervisor.json, exit.json
  int64_t attempt_epoch = 1;
  std::string launch_id;  // mark of the attempt's processes (LTML_ATTEMPT), of base::RandomToken()
  std::vector<RankHost> hosts;
  int threads_per_rank = 1;
  bool on_gpu = false;                    // ranks are ltml-worker-cuda, not ltml-worker
  std::string token;                      // handed to ranks in the environment, never in arguments
  std::chrono::nanoseconds stop_grace{};  // of SIGUSR1, then again of SIGTERM
  std::chrono::nanoseconds lock_wait{};  // limits.stop: how long an older attempt may hold the lock
  bool allow_root = true;
  // The attempt goes on when this program ends, and can be adopted by another.
  bool outlives_owner = false;
  // Variables of this program that ranks get too, by name, besides those that every program needs.
  std::vector<std::string> environment{};
  RemoteOptions remote{};
  // Asked many times a second until the attempt has started; true gives it up.  Empty: never.
  std::function<bool()> abandoned{};
};

// A running attempt: supervisor process -> mpirun -> ranks.  Destroying it ends the attempt, or
// leaves it to itself where it outlives its owner.
class Attempt {
 public:
  virtual ~Attempt() = default;
  // The exit record once the attempt has ended and nothing of it is left; DeadlineExceeded
  // otherwise.
  virtual absl::StatusOr<v1::ExitRecord> Wait(std::chrono::nanoseconds timeout) = 0;
  // Asks the supervisor to end the attempt: SIGUSR1 to the ranks (a checkpoint, then the end),
  // SIGTERM to mpirun, SIGKILL to all that is left, on every host.  `at_once` leaves SIGUSR1 out.
  // `reason` goes into the exit record.  Repeats do nothing, but at_once hurries.
  virtual void Stop(const std::string& reason, bool at_once) = 0;
};

// FailedPrecondition when another attempt holds the run folder's lock (exit code 6) or root is not
// allowed; Cancelled when the start was abandoned, after everything that it had begun was ended.
absl::StatusOr<std::unique_ptr<Attempt>> Launch(const LaunchOptions& options);

// Where our programs are: `configured`, or, when that is empty, LTML_BIN_DIR or the folder of this
// program.
absl::StatusOr<std::filesystem::path> ProgramFolder(const std::filesystem::path& configured);

struct AdoptOptions {
  std::filesystem::path run_folder;
  std::filesystem::path attempt_folder;
  int64_t attempt_epoch = 1;
  std::string launch_id;
  std::chrono::nanoseconds stop_grace{};
};

// An attempt that another program launched with outlives_owner, as its files say: one that runs,
// or one that has ended (Wait gives the record at once).  A supervisor that is starting is waited
// for.  An attempt whose supervisor is gone without a record is swept from this machine, and gets a
// record that says so.  NotFound when it was never started.
absl::StatusOr<std::unique_ptr<Attempt>> Adopt(const AdoptOptions& options);

}  // namespace ltml::launch
