#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "coordinator/streams/attempt.h"
#include "tests/unit/streams/plan.h"

namespace ltml::streams {
namespace {

using statistics::WindowSums;

struct Finish {
  int rank = 0;
  std::map<int64_t, WindowSums> unfolded;
  std::optional<LastSums> last;
};

// What is durable of an attempt, with no more windows than a store keeps.
struct Journal {
  bool started = false;
  std::optional<Resume> start;
  std::vector<FoldedWindow> windows;
  std::vector<Finish> finishes;

  void Add(const Outcome& outcome, const std::optional<Resume>& resume) {
    if (outcome.starts) {
      started = true;
      start = resume;
    }
    for (const FoldedWindow& folded : outcome.folded) windows.push_back(folded);
    const int64_t kept = AttemptStreams::kStoredVersions;
    if (std::ssize(windows) > kept) windows.erase(windows.begin(), windows.end() - kept);
  }
  std::unique_ptr<AttemptStreams> Restore(const AttemptOptions& options) const {
    auto streams = std::make_unique<AttemptStreams>(options);
    if (!started) return streams;
    const absl::Status restored = streams->Restore(start, windows);
    EXPECT_TRUE(restored.ok()) << std::string(restored.message());
    for (const Finish& finish : finishes) {
      const absl::Status ended =
          streams->RestoreFinished(finish.rank, finish.unfolded, finish.last);
      EXPECT_TRUE(ended.ok()) << std::string(ended.message());
    }
    return streams;
  }
};

struct RankClient {
  int64_t at = 0;
  std::map<int64_t, WindowGrant> grants;
  std::map<int64_t, WindowSums> unacknowledged;
  bool ended = false;  // and this is durable
};

// A run whose coordinator is replaced by a restored one after every message.  `loses`: with chance
// 1/4 it goes before the message is durable, with 1/4 before the grants have left.
class RestartedRun {
 public:
  RestartedRun(const Plan& plan, int64_t start, uint64_t seed, bool loses)
      : plan_(plan), start_(start), random_(seed), loses_(loses), ranks_(World()) {
    for (RankClient& rank : ranks_) rank.at = start;
    Restart();
  }

  void Run() {
    for (int guard = 0; Busy() && guard < 20000 && !testing::Test::HasFailure(); ++guard) {
      const int rank = Draw(World());
      if (!ranks_[rank].ended) Advance(rank);
    }
    EXPECT_FALSE(Busy());
  }
  const std::vector<RankClient>& ranks() const { return ranks_; }
  const AttemptStreams& streams() const { return *streams_; }

 private:
  int World() const { return plan_.options.world_size; }
  int Draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool Busy() const {
    for (const RankClient& rank : ranks_) {
      if (!rank.ended) return true;
    }
    return false;
  }

  // Ranks come again in some order, each with all that it does not know to have arrived.
  void Restart() {
    streams_ = journal_.Restore(plan_.options);
    std::vector<int> order(World());
    for (int rank = 0; rank < World(); ++rank) order[rank] = rank;
    std::shuffle(order.begin(), order.end(), random_);
    for (int rank : order) {
      if (ranks_[rank].ended) continue;
      const auto resume = ResumeOf(rank);
      Take(streams_->OnHello(rank, resume), resume);
    }
    for (int rank : order) {
      const auto reports = ranks_[rank].unacknowledged;
      for (const auto& [window, sums] : reports) {
        if (!ranks_[rank].ended && journal_.started) {
          Take(streams_->OnReport(rank, window, sums), std::nullopt);
        }
      }
    }
  }
  std::optional<Resume> ResumeOf(int rank) const {
    if (rank != 0 || start_ == 0) return std::nullopt;
    return ResumeAt(plan_, start_);
  }

  void Take(const absl::StatusOr<Outcome>& outcome, const std::optional<Resume>& resume) {
    ASSERT_TRUE(outcome.ok()) << std::string(outcome.status().message());
    journal_.Add(*outcome, resume);
    for (const Delivery& delivery : outcome->deliveries) {
      RankClient& rank = ranks_[delivery.rank];
      const auto [known, fresh] = rank.grants.emplace(delivery.grant.window, delivery.grant);
      EXPECT_TRUE(fresh || known->second.totals == delivery.grant.totals);
      EXPECT_EQ(known->second.version, delivery.grant.version);
      rank.unacknowledged.erase(delivery.grant.window - 2);
    }
  }

  void Advance(int rank) {
    RankClient& client = ranks_[rank];
    const int64_t window = plan_.options.window, steps = plan_.options.steps;
    const int64_t w = std::min(client.at, steps - 1) / window;
    const int64_t end = std::min((w + 1) * window, steps);
    if (client.at < steps && client.grants.count(w) == 0) return;
    const WindowSums sums = plan_.Sum(std::min(client.at, end), end, rank, World());
    if (end == steps) return Finish(rank, w, sums);
    client.at = end;
    client.unacknowledged[w] = sums;
    const auto outcome = streams_->OnReport(rank, w, sums);
    if (!loses_ || Draw(2) == 0) {
      Take(outcome, std::nullopt);
    } else if (Draw(2) == 0 && outcome.ok()) {
      journal_.Add(*outcome, std::nullopt);
    }
    Restart();
  }

  void Finish(int rank, int64_t w, const WindowSums& sums) {
    const auto outcome = streams_->OnFinished(rank, plan_.options.steps, w, sums);
    if (!loses_ || Draw(2) == 0) {
      Take(outcome, std::nullopt);
      journal_.finishes.push_back(
          {rank, streams_->Unfolded(rank), LastSums{plan_.options.steps, w, sums}});
      ranks_[rank].ended = true;
    }
    Restart();
  }

  const Plan& plan_;
  const int64_t start_;
  std::mt19937_64 random_;
  const bool loses_;
  Journal journal_;
  std::unique_ptr<AttemptStreams> streams_;
  std::vector<RankClient> ranks_;
};

void ExpectAsUndisturbed(Plan plan, int world_size, int64_t start, uint64_t seed, bool loses) {
  SCOPED_TRACE(fmt::format("steps {} window {} ranks {} from {} seed {} loses {}",
                           plan.options.steps, plan.options.window, world_size, start, seed,
                           loses));
  plan.options.world_size = world_size;
  RestartedRun run(plan, start, seed, loses);
  run.Run();
  const int64_t first = start / plan.options.window;
  const int64_t count = start == plan.options.steps ? 0 : plan.Windows() - first;
  for (const RankClient& rank : run.ranks()) {
    ASSERT_EQ(std::ssize(rank.grants), count);
    for (const auto& [window, grant] : rank.grants) {
      EXPECT_EQ(grant.version, window - 2);
      EXPECT_TRUE(grant.totals == plan.Version(window - 2)) << "window " << window;
    }
  }
  EXPECT_TRUE(run.streams().latest_totals() == plan.Version(plan.Windows() - 1));
}

TEST(Restore, AfterEveryMessageARunEqualsTheUndisturbedOne) {
  std::mt19937_64 random(20260101);
  for (const auto& [steps, window] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {5, 1}, {13, 4}, {16, 4}, {23, 5}, {30, 3}}) {
    const Plan plan = MakePlan(random, steps, window);
    for (int64_t start = 0; start <= steps; start += 1 + steps / 6) {
      for (int world_size = 1; world_size <= kParts; ++world_size) {
        for (bool loses : {false, true}) {
          ExpectAsUndisturbed(plan, world_size, start, random(), loses);
        }
      }
    }
  }
}

class RestoredRun : public testing::Test {
 protected:
  RestoredRun() {
    plan_.options.world_size = 2;
    AttemptStreams streams(plan_.options);
    for (int rank : {0, 1}) journal_.Add(streams.OnHello(rank, std::nullopt).value(), {});
    for (int64_t w = 0; w < 3; ++w) {
      for (int rank : {0, 1}) journal_.Add(streams.OnReport(rank, w, Sums(rank, w)).value(), {});
    }
  }
  WindowSums Sums(int rank, int64_t w) const { return plan_.Sum(w * 4, w * 4 + 4, rank, 2); }
  absl::Status Restored(std::vector<FoldedWindow> windows) const {
    return AttemptStreams(plan_.options).Restore(std::nullopt, std::move(windows));
  }

  std::mt19937_64 random_{5};
  Plan plan_ = MakePlan(random_, 23, 4);
  Journal journal_;
};

TEST_F(RestoredRun, RepeatsAreAnsweredAsBefore) {
  const auto streams = journal_.Restore(plan_.options);
  for (int rank : {0, 1}) ASSERT_TRUE(streams->OnHello(rank, std::nullopt).ok());
  const auto again = streams->OnReport(1, 1, Sums(1, 1));
  ASSERT_TRUE(again.ok()) << std::string(again.status().message());
  ASSERT_EQ(again->deliveries.size(), 1u);
  EXPECT_EQ(again->deliveries[0].grant.window, 3);
  EXPECT_TRUE(again->deliveries[0].grant.totals == plan_.Version(1));
  EXPECT_TRUE(again->folded.empty());
  EXPECT_EQ(streams->OnReport(1, 1, Sums(0, 1)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(streams->OnHello(0, ResumeAt(plan_, 6)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(streams->OnHello(0, std::nullopt)->starts);
}

TEST_F(RestoredRun, SumsOfARankThatHasFinishedAreKept) {
  AttemptStreams streams(plan_.options);
  ASSERT_TRUE(streams.Restore(std::nullopt, journal_.windows).ok());
  for (int rank : {0, 1}) ASSERT_TRUE(streams.OnHello(rank, std::nullopt).ok());
  ASSERT_TRUE(streams.OnReport(1, 3, Sums(1, 3)).ok());
  journal_.finishes.push_back({1, streams.Unfolded(1), std::nullopt});
  const auto restored = journal_.Restore(plan_.options);
  ASSERT_TRUE(restored->OnHello(0, std::nullopt).ok());
  const auto last = restored->OnReport(0, 3, Sums(0, 3));
  ASSERT_TRUE(last.ok());
  ASSERT_EQ(last->folded.size(), 1u);
  EXPECT_TRUE(last->folded[0].totals == plan_.Version(3));
}

TEST_F(RestoredRun, RecordsThatMakeNoSenseAreRefused) {
  const std::vector<FoldedWindow>& good = journal_.windows;
  EXPECT_TRUE(Restored(good).ok());
  EXPECT_TRUE(Restored({good[0], good[1]}).ok());
  const auto refused = [&](std::vector<FoldedWindow> windows) {
    return absl::IsFailedPrecondition(Restored(std::move(windows)));
  };
  EXPECT_TRUE(refused({good[1], good[2]}));  // what is before them is missing
  EXPECT_TRUE(refused({good[0], good[2]}));  // a gap
  EXPECT_TRUE(refused({good[0], good[0]}));  // twice
  FoldedWindow other = good[0];
  other.rank_digests.pop_back();
  EXPECT_TRUE(refused({other}));
  other = good[0];
  other.rank_digests[1] = "no digest";
  EXPECT_TRUE(refused({other}));
  other = good[0];
  other.totals = statistics::DecayedTotals(7);
  EXPECT_TRUE(refused({other}));
  other = good[0];
  other.window = -1;
  EXPECT_TRUE(refused({other}));
  AttemptStreams streams(plan_.options);
  ASSERT_TRUE(streams.Restore(std::nullopt, good).ok());
  EXPECT_FALSE(streams.RestoreFinished(2, {}, std::nullopt).ok());
  EXPECT_FALSE(streams.RestoreFinished(1, {{4, Sums(1, 4)}}, std::nullopt).ok());
}

}  // namespace
}  // namespace ltml::streams
