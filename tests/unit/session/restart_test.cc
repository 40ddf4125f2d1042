#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "absl/time/clock.h"
#include "common/base/token_digest.h"
#include "common/statistics/convert.h"
#include "tests/unit/session/fixture.h"
#include "tests/unit/session/gateway_server.h"
#include "tests/unit/session/memory_journal.h"

namespace ltml::session {
namespace {

using coordinator::AttemptSessions;
using statistics::DecayedTotals;
using statistics::WindowSums;
using std::chrono::seconds;

// One life of a server: a gateway on a port, with the attempt as its journal has it.
struct Life {
  std::unique_ptr<GatewayServer> server;
  std::unique_ptr<AttemptSessions> sessions;
};

class RestartTest : public CoordinatorTest {
 protected:
  RestartTest() { options_.lease = seconds(20); }

  absl::StatusOr<Life> Begin(int port) {
    Life life;
    // The port of a server that has just gone may still be bound for a moment.
    for (int i = 0; i < 500; ++i) {
      life.server = std::make_unique<GatewayServer>(port);
      if (life.server->listens()) break;
      life.server.reset();
      absl::SleepFor(absl::Milliseconds(20));
    }
    if (life.server == nullptr) return absl::UnavailableError("the port stays taken");
    coordinator::AttemptSessionsOptions options;
    options.job_id = "job-1";
    options.attempt = options_.attempt;
    options.token_sha256 = base::TokenDigest("secret");
    options.lease = options_.lease;
    options.events = options_.events;
    options.journal = &journal_;
    options.restored = journal_.entries();
    auto sessions = life.server->gateway().Add(std::move(options));
    if (!sessions.ok()) return sessions.status();
    life.sessions = *std::move(sessions);
    life.server->gateway().Open();
    return life;
  }

  // Every window, a checkpoint in each, then `finished`.
  void Live(int rank, const std::string& address) {
    SessionOptions options = RankOptions(rank);
    options.coordinator = address;
    const auto session = Open(options);
    ASSERT_NE(session, nullptr);
    const int64_t last = (options_.attempt.steps - 1) / options_.attempt.window;
    for (int64_t w = 0; w <= last; ++w) {
      const auto grant = session->Await(w, seconds(60));
      ASSERT_TRUE(grant.ok()) << std::string(grant.status().message());
      EXPECT_EQ(grant->version, w - 2);
      EXPECT_TRUE(grant->totals == Version(w - 2)) << "window " << w;
      if (rank == 0) {
        const absl::Status confirmed = session->ConfirmCheckpoint(4 * w, seconds(60));
        EXPECT_TRUE(confirmed.ok()) << std::string(confirmed.message());
        session->Step({.step = 4 * w});
      }
      ++windows_;
      if (w < last) session->Report(w, Sums(rank, w));
    }
    v1::Finished finished;
    finished.set_step(options_.attempt.steps);
    finished.mutable_last_window()->set_window(last);
    *finished.mutable_last_window()->mutable_sums() = statistics::ToProto(Sums(rank, last));
    session->Finish(finished);
    ++finished_;
  }

  // Ends the server `pause` after the ranks have come through `windows` windows in all; `crash`:
  // what it does from then on until its end is not recorded.
  void ExpectUndisturbed(int64_t windows, absl::Duration pause, bool crash) {
    absl::StatusOr<Life> life = Begin(0);
    ASSERT_TRUE(life.ok()) << std::string(life.status().message());
    const int port = life->server->port();
    std::vector<std::thread> ranks;
    for (int rank = 0; rank < options_.attempt.world_size; ++rank) {
      ranks.emplace_back([this, rank, address = life->server->address()] { Live(rank, address); });
    }
    for (int i = 0; i < 10000 && windows_ < windows; ++i) absl::SleepFor(absl::Milliseconds(1));
    absl::SleepFor(pause);
    if (crash) journal_.Cut();
    *life = Life();
    journal_.Mend();
    life = Begin(port);
    for (std::thread& rank : ranks) rank.join();
    ASSERT_TRUE(life.ok()) << std::string(life.status().message());
    EXPECT_EQ(finished_, options_.attempt.world_size);
    EXPECT_TRUE(life->sessions->LatestTotals() == Version(5));
    EXPECT_FALSE(life->sessions->ProtocolFailure().has_value());
    for (const streams::RankView& view : life->sessions->Ranks()) EXPECT_TRUE(view.finished);
  }

  MemoryJournal journal_;
  std::atomic<int64_t> windows_ = 0, finished_ = 0;
};

struct Moment {
  int64_t windows;
  int microseconds;
  bool crash;
};

class RestartMoments : public RestartTest, public testing::WithParamInterface<Moment> {};

TEST_P(RestartMoments, ChangeNothingForTheRanks) {
  const Moment& moment = GetParam();
  ExpectUndisturbed(moment.windows, absl::Microseconds(moment.microseconds), moment.crash);
}

std::vector<Moment> Moments() {
  std::mt19937_64 random(2026);
  std::vector<Moment> moments;
  for (int64_t windows = 0; windows <= 18; ++windows) {
    const int microseconds = std::uniform_int_distribution<int>(0, 3000)(random);
    moments.push_back({windows, microseconds, windows % 2 == 0});
  }
  return moments;
}

INSTANTIATE_TEST_SUITE_P(AnyTime, RestartMoments, testing::ValuesIn(Moments()),
                         [](const auto& info) {
                           return "Windows" + std::to_string(info.param.windows) +
                                  (info.param.crash ? "Crash" : "End");
                         });

}  // namespace
}  // namespace ltml::session
