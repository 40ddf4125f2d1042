// sessions_benchmark [SECONDS]: 25 attempts of 8 ranks in one process, each rank a real session
// over plaintext loopback TCP with a heartbeat a second, together 1,000 reports a second of windows
// of 80 classes; the journal is a file, synced before an entry counts as durable.  Prints
// percentiles of
//   grant      the last report of a window until the grant is at a rank, for every rank
//   handling   a message of rank 0 that is answered without waiting for anybody, there and back
#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/base/files.h"
#include "common/base/token_digest.h"
#include "common/rpc/channel.h"
#include "coordinator/rpc/worker_gateway.h"
#include "worker/session/session.h"

namespace ltml {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kAttempts = 25;
constexpr int kRanks = 8;
constexpr int kClasses = 80;
constexpr milliseconds kWindow{200};

// Appends in batches, one sync a batch.
class FileJournal final : public coordinator::AttemptJournal {
 public:
  explicit FileJournal(const std::filesystem::path& file)
      : descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)),
        thread_([this] { Loop(); }) {}
  ~FileJournal() override {
    {
      absl::MutexLock lock(&mutex_);
      ending_ = true;
    }
    thread_.join();
    ::close(descriptor_);
  }
  void Append(v1::JournalEntry entry, std::function<void(const absl::Status&)> done) override {
    absl::MutexLock lock(&mutex_);
    queue_.emplace_back(entry.SerializeAsString(), std::move(done));
  }

 private:
  using Item = std::pair<std::string, std::function<void(const absl::Status&)>>;
  void Loop() {
    while (true) {
      std::deque<Item> batch;
      {
        absl::MutexLock lock(&mutex_);
        const auto work = [this] { return ending_ || !queue_.empty(); };
        mutex_.Await(absl::Condition(&work));
        if (queue_.empty()) return;
        batch.swap(queue_);
      }
      bool ok = true;
      for (const Item& item : batch) {
        ok &= ::write(descriptor_, item.first.data(), item.first.size()) ==
              static_cast<ssize_t>(item.first.size());
      }
      ok &= ::fdatasync(descriptor_) == 0;
      const absl::Status status = ok ? absl::OkStatus() : absl::UnavailableError("disk");
      for (const Item& item : batch) item.second(status);
    }
  }

  const int descriptor_;
  absl::Mutex mutex_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

class Samples {
 public:
  void Add(Clock::duration duration) {
    absl::MutexLock lock(&mutex_);
    milliseconds_.push_back(std::chrono::duration<double, std::milli>(duration).count());
  }
  std::string Summary() {
    absl::MutexLock lock(&mutex_);
    std::sort(milliseconds_.begin(), milliseconds_.end());
    if (milliseconds_.empty()) return "no samples";
    const auto at = [&](double share) {
      return milliseconds_[static_cast<size_t>(share *
                                               static_cast<double>(milliseconds_.size() - 1))];
    };
    return fmt::format("n {:6}  p50 {:7.3f} ms  p99 {:7.3f} ms  max {:7.3f} ms",
                       milliseconds_.size(), at(0.5), at(0.99), at(1));
  }

 private:
  absl::Mutex mutex_;
  std::vector<double> milliseconds_ ABSL_GUARDED_BY(mutex_);
};

// When the last rank of an attempt reported a window.
class LastReports {
 public:
  void Add(int64_t window) {
    absl::MutexLock lock(&mutex_);
    times_[window] = std::max(times_[window], Clock::now());
  }
  Clock::time_point Of(int64_t window) {
    absl::MutexLock lock(&mutex_);
    return times_[window];
  }

 private:
  absl::Mutex mutex_;
  std::map<int64_t, Clock::time_point> times_ ABSL_GUARDED_BY(mutex_);
};

statistics::WindowSums SomeSums(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> q(-2000000, 2000000);
  statistics::WindowSums sums(kClasses);
  for (auto branch : statistics::kBranches) {
    for (auto sign : statistics::kSigns) {
      auto& moments = sums.at(branch, sign);
      for (int k = 0; k < kClasses; ++k) {
        const int64_t value = q(random);
        moments.n[k] = 1;
        moments.sum_q[k] = value;
        moments.sum_q2[k] = value * value;
      }
    }
  }
  return sums;
}

struct Bench {
  std::string address;
  int64_t windows = 0;
  Samples grants, handling;
  std::vector<LastReports> reports = std::vector<LastReports>(kAttempts);
};

session::SessionOptions SessionOptionsOf(const Bench& bench, int attempt, int rank) {
  session::SessionOptions options;
  options.coordinator = bench.address;
  options.job_id = fmt::format("job-{}", attempt);
  options.token = "token";
  options.attempt_epoch = 1;
  options.rank = rank;
  options.world_size = kRanks;
  options.classes = kClasses;
  options.connect_limit = seconds(60);
  options.lease = seconds(30);
  return options;
}

void RunRank(Bench& bench, int attempt, int rank) {
  auto session = session::Session::Open(SessionOptionsOf(bench, attempt, rank));
  if (!session.ok()) {
    fmt::print(stderr, "{}\n", std::string(session.status().message()));
    return;
  }
  const statistics::WindowSums sums = SomeSums(attempt * kRanks + rank);
  const auto start = Clock::now() + seconds(1) + attempt * kWindow / kAttempts;
  for (int64_t w = 0; w < bench.windows; ++w) {
    std::this_thread::sleep_until(start + w * kWindow);
    (*session)->Progress(train::Phase::kStep, w, w);
    bench.reports[attempt].Add(w);
    (*session)->Report(w, sums);
    const auto grant = (*session)->Await(w + 2, seconds(60));
    const auto now = Clock::now();
    if (!grant.ok()) return;
    bench.grants.Add(now - bench.reports[attempt].Of(w));
    if (rank != 0) continue;
    const auto before = Clock::now();
    if ((*session)->ConfirmCheckpoint(w, seconds(60)).ok()) {
      bench.handling.Add(Clock::now() - before);
    }
  }
}

coordinator::AttemptSessionsOptions AttemptOf(int attempt, int64_t windows, FileJournal* journal) {
  coordinator::AttemptSessionsOptions options;
  options.job_id = fmt::format("job-{}", attempt);
  options.attempt.epoch = 1;
  options.attempt.world_size = kRanks;
  options.attempt.classes = kClasses;
  options.attempt.window = 10;
  options.attempt.steps = (windows + 3) * 10;
  options.token_sha256 = base::TokenDigest("token");
  options.lease = seconds(30);
  options.journal = journal;
  return options;
}

int Run(int64_t run_seconds) {
  auto folder = base::PrivateFolder::Create("sessions-benchmark");
  if (!folder.ok()) return 1;
  FileJournal journal(folder->path() / "journal");
  const auto gateway = coordinator::WorkerGateway::Create();
  Bench bench;
  bench.windows = run_seconds * 1000 / kWindow.count();
  std::vector<std::unique_ptr<coordinator::AttemptSessions>> attempts;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto sessions = gateway->Add(AttemptOf(attempt, bench.windows, &journal));
    if (!sessions.ok()) return 1;
    attempts.push_back(*std::move(sessions));
  }
  gateway->Open();
  grpc::ServerBuilder builder;
  rpc::ConfigureServer(builder);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(gateway->service());
  const auto server = builder.BuildAndStart();
  bench.address = fmt::format("127.0.0.1:{}", port);
  std::vector<std::thread> ranks;
  for (int i = 0; i < kAttempts * kRanks; ++i) {
    ranks.emplace_back([&bench, i] { RunRank(bench, i / kRanks, i % kRanks); });
  }
  for (std::thread& rank : ranks) rank.join();
  gateway->EndAll();
  server->Shutdown(std::chrono::system_clock::now() + seconds(5));
  server->Wait();
  attempts.clear();
  fmt::print("grant     {}\nhandling  {}\n", bench.grants.Summary(), bench.handling.Summary());
  return 0;
}

}  // namespace
}  // namespace ltml

int main(int count, char** arguments) {
  return ltml::Run(count > 1 ? std::atol(arguments[1]) : 10);
}
