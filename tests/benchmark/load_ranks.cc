// Stands in mpirun's place under a real ltmld, for sessions_benchmark.py: one process in which
// every rank of the job is a real session, with a heartbeat a second and a report per window of 200
// ms. Nothing is trained.  Called like mpirun; the last argument is the rank's task.
//
// In the folder $LTML_LOAD it writes JOB.ready when all its ranks are connected, waits for `go`,
// and writes JOB.txt: a line "grant MS" for every rank and window (from the last report of a window
// until its grant is at the rank), and a line "handling MS" for every message of rank 0 that is
// answered without waiting for another rank.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "ltml/v1/run.pb.h"
#include "worker/session/session.h"

namespace ltml {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kWindow{200};
constexpr seconds kLongestWait{60};

statistics::WindowSums SomeSums(int classes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> q(-2000000, 2000000);
  statistics::WindowSums sums(classes);
  for (auto branch : statistics::kBranches) {
    for (auto sign : statistics::kSigns) {
      auto& moments = sums.at(branch, sign);
      for (int k = 0; k < classes; ++k) {
        const int64_t value = q(random);
        moments.n[k] = 1;
        moments.sum_q[k] = value;
        moments.sum_q2[k] = value * value;
      }
    }
  }
  return sums;
}

double Milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

class Load {
 public:
  Load(v1::WorkerTask task, std::string token, std::filesystem::path folder)
      : task_(std::move(task)),
        token_(std::move(token)),
        folder_(std::move(folder)),
        ranks_(task_.job().resources().ranks()),
        windows_(task_.job().schedule().steps() / task_.job().loss().statistics_window()) {}

  absl::Status Run() {
    std::vector<std::thread> ranks;
    for (int rank = 0; rank < ranks_; ++rank) {
      ranks.emplace_back([this, rank] {
        if (absl::Status status = RunRank(rank); !status.ok()) {
          absl::MutexLock lock(&mutex_);
          status_.Update(status);
        }
      });
    }
    for (std::thread& rank : ranks) rank.join();
    absl::MutexLock lock(&mutex_);
    status_.Update(base::WriteFileAtomically(folder_ / (task_.job_id() + ".txt"), figures_));
    return status_;
  }

 private:
  session::SessionOptions OptionsOf(int rank) const {
    session::SessionOptions options;
    options.coordinator = task_.coordinator();
    options.authority = task_.authority();
    options.job_id = task_.job_id();
    options.token = token_;
    options.attempt_epoch = task_.attempt_epoch();
    options.rank = rank;
    options.world_size = ranks_;
    options.classes = task_.classes();
    options.connect_limit = base::ToNanoseconds(task_.job().limits().start());
    options.lease = base::ToNanoseconds(task_.job().limits().lease());
    return options;
  }

  // Windows of the jobs are spread over the period, as those of jobs that know nothing of each
  // other are.
  absl::StatusOr<Clock::time_point> Start() {
    if (++connected_ == ranks_) {
      const absl::Status written =
          base::WriteFileAtomically(folder_ / (task_.job_id() + ".ready"), "");
      if (!written.ok()) return written;
    }
    const auto end = Clock::now() + kLongestWait;
    while (!std::filesystem::exists(folder_ / "go")) {
      if (Clock::now() > end) return absl::DeadlineExceededError("nobody said go");
      std::this_thread::sleep_for(milliseconds(20));
    }
    const auto phase = std::hash<std::string>{}(task_.job_id()) % kWindow.count();
    const auto now = Clock::now().time_since_epoch();
    return Clock::time_point(now - now % kWindow + seconds(1) + milliseconds(phase));
  }

  absl::Status RunRank(int rank) {
    auto session = session::Session::Open(OptionsOf(rank));
    if (!session.ok()) return session.status();
    const absl::StatusOr<Clock::time_point> start = Start();
    if (!start.ok()) return start.status();
    const statistics::WindowSums sums = SomeSums(task_.classes(), rank);
    // The last two windows have no grant that waits for them.
    for (int64_t window = 0; window + 2 < windows_; ++window) {
      std::this_thread::sleep_until(*start + window * kWindow);
      (*session)->Progress(train::Phase::kStep, window, window);
      SetReported(window);
      (*session)->Report(window, sums);
      const auto grant = (*session)->Await(window + 2, kLongestWait);
      const auto now = Clock::now();
      if (!grant.ok()) return grant.status();
      AddFigure("grant", now - Reported(window));
      if (rank != 0) continue;
      const auto asked = Clock::now();
      const absl::Status confirmed = (*session)->ConfirmCheckpoint(window, kLongestWait);
      if (!confirmed.ok()) return confirmed;
      AddFigure("handling", Clock::now() - asked);
    }
    (*session)->Finish({});
    return absl::OkStatus();
  }

  void SetReported(int64_t window) {
    absl::MutexLock lock(&mutex_);
    reported_[window] = std::max(reported_[window], Clock::now());
  }
  Clock::time_point Reported(int64_t window) {
    absl::MutexLock lock(&mutex_);
    return reported_[window];
  }
  void AddFigure(const char* name, Clock::duration duration) {
    absl::MutexLock lock(&mutex_);
    figures_ += fmt::format("{} {:.4f}\n", name, Milliseconds(duration));
  }

  const v1::WorkerTask task_;
  const std::string token_;
  const std::filesystem::path folder_;
  const int ranks_;
  const int64_t windows_;
  std::atomic<int> connected_ = 0;
  absl::Mutex mutex_;
  std::map<int64_t, Clock::time_point> reported_ ABSL_GUARDED_BY(mutex_);  // by the last rank
  std::string figures_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

int Main(const char* task_file) {
  const char* folder = std::getenv("LTML_LOAD");
  const char* token = std::getenv("LTML_TOKEN");
  v1::WorkerTask task;
  absl::Status status = base::ReadJsonFile(task_file, &task);
  if (status.ok() && (folder == nullptr || token == nullptr)) {
    status = absl::InvalidArgumentError("LTML_LOAD and LTML_TOKEN are needed");
  }
  if (status.ok()) status = Load(task, token, folder).Run();
  if (!status.ok()) fmt::print(stderr, "load_ranks: {}\n", std::string(status.message()));
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace ltml

int main(int count, char** arguments) { return ltml::Main(arguments[count - 1]); }
