#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "coordinator/rpc/worker_server.h"
#include "worker/session/session.h"

namespace ltml {

// Whatever a coordinator was told, as lines of text, in order.
class Told {
 public:
  void Add(std::string line) {
    absl::MutexLock lock(&mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> lines() {
    absl::MutexLock lock(&mutex_);
    return lines_;
  }
  // False when there are fewer after ten seconds.
  bool AwaitCount(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&] { return lines_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(10));
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
};

inline statistics::WindowSums RandomSums(uint64_t seed, int classes) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> number(1, 1000000);
  statistics::WindowSums sums(classes);
  for (auto branch : {statistics::kUniform, statistics::kRebalanced}) {
    for (auto sign : {statistics::kPositive, statistics::kNegative}) {
      auto& moments = sums.at(branch, sign);
      for (int k = 0; k < classes; ++k) {
        const int64_t a = number(random), b = -number(random);
        moments.n[k] = 2;
        moments.sum_q[k] = a + b;
        moments.sum_q2[k] = a * a + b * b;
      }
    }
  }
  return sums;
}

// One attempt's sessions on a server of their own.
struct AttemptServerOptions {
  std::string address;
  std::string job_id;
  streams::AttemptOptions attempt;
  bool training = true;
  std::string token;
  std::chrono::nanoseconds lease = std::chrono::seconds(5);
  coordinator::WorkerEvents events;
};

class AttemptServer {
 public:
  static absl::StatusOr<std::unique_ptr<AttemptServer>> Start(const AttemptServerOptions& options) {
    auto server = std::make_unique<AttemptServer>();
    LTML_ASSIGN_OR_RETURN(server->server_, coordinator::WorkerServer::Start(options.address));
    LTML_ASSIGN_OR_RETURN(server->sessions_, server->server_->gateway().Add(
                                                 {.job_id = options.job_id,
                                                  .attempt = options.attempt,
                                                  .training = options.training,
                                                  .token_sha256 = base::TokenDigest(options.token),
                                                  .lease = options.lease,
                                                  .events = options.events,
                                                  .restored = {}}));
    return server;
  }
  void SendCommand(v1::Command::Kind kind) { sessions_->SendCommand(kind); }
  auto Ranks() const { return sessions_->Ranks(); }
  auto ProtocolFailure() const { return sessions_->ProtocolFailure(); }
  auto LatestTotals() const { return sessions_->LatestTotals(); }
  ~AttemptServer() {
    if (server_ != nullptr) server_->gateway().EndAll();
  }

 private:
  std::unique_ptr<coordinator::WorkerServer> server_;
  std::unique_ptr<coordinator::AttemptSessions> sessions_;
};

// A coordinator on a private socket, and options of sessions that fit it.
class CoordinatorTest : public testing::Test {
 protected:
  CoordinatorTest() {
    auto folder = base::PrivateFolder::Create("session-test");
    EXPECT_TRUE(folder.ok());
    if (folder.ok()) folder_ = *std::move(folder);
    options_.address = "unix:" + (folder_.path() / "socket").string();
    options_.job_id = "job-1";
    options_.token = "secret";
    options_.lease = std::chrono::seconds(10);
    options_.attempt.epoch = 7;
    options_.attempt.world_size = 3;
    options_.attempt.classes = 5;
    options_.attempt.steps = 23;
    options_.attempt.window = 4;
    auto& events = options_.events;
    events.hello = [this](int rank, const v1::Hello&) { told_.Add("hello " + Text(rank)); };
    events.progress = [this](int rank, const v1::Progress& progress) {
      if (progress.has_metrics()) {
        told_.Add("metrics " + Text(rank) + " " + Text(progress.metrics().step()));
      }
    };
    events.checkpoint_done = [this](int rank, const v1::CheckpointDone& done) {
      told_.Add("checkpoint " + Text(rank) + " " + done.folder());
    };
    events.evaluation_done = [this](int rank, const v1::EvaluationDone& done) {
      told_.Add("evaluation " + Text(rank) + " " + Text(done.report().evaluated_step()));
    };
    events.failure = [this](int rank, const v1::Failure& failure) {
      told_.Add("failure " + Text(rank) + " " + failure.message());
    };
    events.finished = [this](int rank, const v1::Finished&) { told_.Add("end " + Text(rank)); };
  }

  // What a rank has of a window, and the totals that all ranks make of windows up to this one.
  statistics::WindowSums Sums(int rank, int64_t window) const {
    return RandomSums(1000 * window + rank, options_.attempt.classes);
  }
  statistics::DecayedTotals Version(int64_t version) const {
    statistics::DecayedTotals totals(options_.attempt.classes);
    for (int64_t w = 0; w <= version; ++w) {
      statistics::WindowSums global(options_.attempt.classes);
      for (int rank = 0; rank < options_.attempt.world_size; ++rank) global.Merge(Sums(rank, w));
      totals.Fold(global, options_.attempt.decay);
    }
    return totals;
  }

  static std::string Text(int64_t number) { return std::to_string(number); }

  void StartServer() {
    auto server = AttemptServer::Start(options_);
    ASSERT_TRUE(server.ok()) << std::string(server.status().message());
    server_ = *std::move(server);
  }

  session::SessionOptions RankOptions(int rank) const {
    session::SessionOptions options;
    options.coordinator = options_.address;
    options.job_id = options_.job_id;
    options.token = options_.token;
    options.attempt_epoch = options_.attempt.epoch;
    options.rank = rank;
    options.world_size = options_.attempt.world_size;
    options.classes = options_.attempt.classes;
    options.connect_limit = std::chrono::seconds(10);
    options.lease = options_.lease;
    options.training = options_.training;
    return options;
  }

  std::unique_ptr<session::Session> Open(const session::SessionOptions& options) {
    auto session = session::Session::Open(options);
    EXPECT_TRUE(session.ok()) << std::string(session.status().message());
    return session.ok() ? *std::move(session) : nullptr;
  }

  base::PrivateFolder folder_;
  AttemptServerOptions options_;
  Told told_;
  std::unique_ptr<AttemptServer> server_;
};

}  // namespace ltml
