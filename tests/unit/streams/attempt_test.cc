#include "coordinator/streams/attempt.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/unit/streams/plan.h"

namespace ltml::streams {
namespace {

using statistics::Compensation;
using statistics::DecayedTotals;
using statistics::WindowSums;

// All grants that the ranks of one attempt got, by rank and window; fails on one given twice.
struct Inbox {
  std::map<int, std::map<int64_t, WindowGrant>> grants;
  void Take(const absl::StatusOr<Outcome>& outcome) {
    ASSERT_TRUE(outcome.ok()) << std::string(outcome.status().message());
    for (const Delivery& delivery : outcome->deliveries) {
      const bool fresh =
          grants[delivery.rank].emplace(delivery.grant.window, delivery.grant).second;
      EXPECT_TRUE(fresh) << "rank " << delivery.rank << " window " << delivery.grant.window;
    }
  }
};

// Drives ranks in random order, each through all windows it is granted, from step s to the end.
Inbox Drive(const Plan& plan, int world_size, int64_t s, AttemptStreams& streams,
            std::mt19937_64& random) {
  Inbox inbox;
  const int64_t window = plan.options.window, steps = plan.options.steps;
  std::vector<int> order(world_size);
  for (int rank = 0; rank < world_size; ++rank) order[rank] = rank;
  std::shuffle(order.begin(), order.end(), random);
  for (int rank : order) {
    const bool resumes = rank == 0 && s > 0;
    inbox.Take(streams.OnHello(rank, resumes ? std::optional(ResumeAt(plan, s)) : std::nullopt));
  }
  std::vector<int64_t> at(world_size, s);
  std::set<int> busy(order.begin(), order.end());
  for (int guard = 0; !busy.empty() && guard < 100000; ++guard) {
    auto chosen = busy.begin();
    std::advance(chosen, std::uniform_int_distribution<size_t>(0, busy.size() - 1)(random));
    const int rank = *chosen;
    const int64_t w = at[rank] / window, end = std::min((w + 1) * window, steps);
    if (at[rank] < steps && !inbox.grants[rank].count(w)) continue;
    const WindowSums sums = plan.Sum(std::min(at[rank], end), end, rank, world_size);
    at[rank] = std::max(at[rank], end);
    if (at[rank] == steps) {
      inbox.Take(streams.OnFinished(rank, steps, w, sums));
      busy.erase(rank);
    } else {
      inbox.Take(streams.OnReport(rank, w, sums));
    }
  }
  EXPECT_TRUE(busy.empty()) << "ranks wait for grants for ever";
  return inbox;
}

void ExpectGrantsAsDefined(const Plan& plan, const Inbox& inbox, int world_size, int64_t s) {
  const int64_t first = s / plan.options.window;
  const int64_t expected = s == plan.options.steps ? 0 : plan.Windows() - first;
  for (int rank = 0; rank < world_size; ++rank) {
    const auto found = inbox.grants.find(rank);
    const auto count = found == inbox.grants.end() ? 0 : found->second.size();
    ASSERT_EQ(static_cast<int64_t>(count), expected) << "rank " << rank;
    for (int64_t w = first; w < first + expected; ++w) {
      const WindowGrant& grant = found->second.at(w);
      EXPECT_EQ(grant.version, w - 2);
      EXPECT_EQ(grant.first_step, w * plan.options.window);
      EXPECT_EQ(grant.end_step, std::min((w + 1) * plan.options.window, plan.options.steps));
      const DecayedTotals totals = plan.Version(w - 2);
      EXPECT_TRUE(grant.totals == totals) << "window " << w;
      const Compensation compensation =
          w < 2 ? Compensation::Neutral(plan.options.classes)
                : statistics::Compensate(totals, plan.options.prior, plan.options.form);
      EXPECT_TRUE(grant.compensation == compensation) << "window " << w;
    }
  }
}

void ExpectRunAsDefined(Plan plan, int world_size, int64_t s, std::mt19937_64& random) {
  SCOPED_TRACE(fmt::format("steps {} window {} ranks {} from {}", plan.options.steps,
                           plan.options.window, world_size, s));
  plan.options.world_size = world_size;
  AttemptStreams streams(plan.options);
  const Inbox inbox = Drive(plan, world_size, s, streams, random);
  ExpectGrantsAsDefined(plan, inbox, world_size, s);
  EXPECT_TRUE(streams.latest_totals() == plan.Version(plan.Windows() - 1));
}

// Resumed anywhere, on any number of ranks, an attempt makes exactly the versions of the
// definition, as the run that was never interrupted does.
TEST(AttemptStreams, EqualBruteForceFromEveryStepOnAnyNumberOfRanks) {
  std::mt19937_64 random(20210601);
  for (const auto& [steps, window] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 5}, {5, 1}, {7, 2}, {12, 4}, {13, 4}, {15, 4}, {16, 5}, {30, 10}}) {
    const Plan plan = MakePlan(random, steps, window);
    for (int64_t s = 0; s <= steps; ++s) {
      for (int world_size = 1; world_size <= kParts; ++world_size) {
        ExpectRunAsDefined(plan, world_size, s, random);
      }
    }
  }
}

TEST(AttemptStreams, ShortLastWindowGoesOnInALongerRun) {
  std::mt19937_64 random(7);
  const Plan longer = MakePlan(random, 22, 5);
  Plan shorter = longer;
  shorter.options.steps = 13;
  ExpectRunAsDefined(shorter, 2, 0, random);
  ExpectRunAsDefined(longer, 3, 13, random);
}

class OneRun : public testing::Test {
 protected:
  OneRun() { plan_.options.world_size = 2; }
  WindowSums Sums(int rank, int64_t w) const {
    const int64_t first = w * plan_.options.window;
    return plan_.Sum(first, std::min(first + plan_.options.window, plan_.options.steps), rank, 2);
  }
  static std::vector<std::pair<int, int64_t>> Granted(const absl::StatusOr<Outcome>& outcome) {
    std::vector<std::pair<int, int64_t>> granted;
    EXPECT_TRUE(outcome.ok()) << std::string(outcome.status().message());
    if (!outcome.ok()) return granted;
    for (const Delivery& d : outcome->deliveries) granted.emplace_back(d.rank, d.grant.window);
    return granted;
  }
  static void ExpectBroken(const absl::StatusOr<Outcome>& outcome, std::string_view text) {
    ASSERT_EQ(outcome.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(std::string(outcome.status().message()).find(text), std::string::npos)
        << std::string(outcome.status().message());
  }
  AttemptStreams Started() const {
    AttemptStreams streams(plan_.options);
    EXPECT_TRUE(streams.OnHello(0, std::nullopt).ok());
    EXPECT_TRUE(streams.OnHello(1, std::nullopt).ok());
    return streams;
  }

  using Pairs = std::vector<std::pair<int, int64_t>>;
  std::mt19937_64 random_{5};
  Plan plan_ = MakePlan(random_, 23, 4);
};

TEST_F(OneRun, NobodyGetsAGrantBeforeRankZero) {
  AttemptStreams streams(plan_.options);
  EXPECT_EQ(Granted(streams.OnHello(1, std::nullopt)), Pairs{});
  EXPECT_EQ(Granted(streams.OnHello(0, std::nullopt)), (Pairs{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
}

TEST_F(OneRun, LateRanksGetTheirGrantsAtOnce) {
  AttemptStreams streams(plan_.options);
  EXPECT_EQ(Granted(streams.OnHello(0, std::nullopt)), (Pairs{{0, 0}, {0, 1}}));
  EXPECT_EQ(Granted(streams.OnHello(1, std::nullopt)), (Pairs{{1, 0}, {1, 1}}));
}

TEST_F(OneRun, GrantsWaitForEveryRank) {
  AttemptStreams streams = Started();
  EXPECT_EQ(Granted(streams.OnReport(0, 0, Sums(0, 0))), Pairs{});
  EXPECT_EQ(Granted(streams.OnReport(0, 1, Sums(0, 1))), Pairs{});
  EXPECT_EQ(Granted(streams.OnReport(1, 0, Sums(1, 0))), (Pairs{{0, 2}, {1, 2}}));
  EXPECT_EQ(Granted(streams.OnReport(1, 1, Sums(1, 1))), (Pairs{{0, 3}, {1, 3}}));
}

TEST_F(OneRun, RepeatsAreAnsweredFromTheStore) {
  AttemptStreams streams = Started();
  EXPECT_EQ(Granted(streams.OnReport(0, 0, Sums(0, 0))), Pairs{});
  EXPECT_EQ(Granted(streams.OnReport(0, 0, Sums(0, 0))), Pairs{});
  EXPECT_EQ(Granted(streams.OnReport(1, 0, Sums(1, 0))), (Pairs{{0, 2}, {1, 2}}));
  const auto again = streams.OnReport(0, 0, Sums(0, 0));
  ASSERT_EQ(Granted(again), (Pairs{{0, 2}}));
  EXPECT_TRUE(again->deliveries.front().grant.totals == plan_.Version(0));
  for (int64_t w = 1; w < 4; ++w) {
    EXPECT_TRUE(streams.OnReport(0, w, Sums(0, w)).ok());
    EXPECT_TRUE(streams.OnReport(1, w, Sums(1, w)).ok());
  }
  EXPECT_EQ(Granted(streams.OnReport(1, 1, Sums(1, 1))), (Pairs{{1, 3}}));
  ExpectBroken(streams.OnReport(1, 0, Sums(1, 0)), "older than what is kept");
}

TEST_F(OneRun, ARankThatComesBackGetsWhatItMayMiss) {
  AttemptStreams streams = Started();
  for (int rank : {0, 1}) EXPECT_TRUE(streams.OnReport(rank, 0, Sums(rank, 0)).ok());
  EXPECT_EQ(Granted(streams.OnHello(1, std::nullopt)), (Pairs{{1, 1}, {1, 2}}));
  EXPECT_EQ(Granted(streams.OnHello(0, std::nullopt)), (Pairs{{0, 1}, {0, 2}}));
  ExpectBroken(streams.OnHello(0, ResumeAt(plan_, 6)), "another state");
}

TEST_F(OneRun, BrokenProtocolIsNamed) {
  AttemptStreams streams = Started();
  ExpectBroken(streams.OnReport(0, 0, WindowSums(4)), "4 classes, the job has 3");
  ExpectBroken(streams.OnReport(0, 1, Sums(0, 1)), "expected window 0");
  ExpectBroken(streams.OnReport(0, -1, Sums(0, 1)), "older");
  ExpectBroken(streams.OnReport(0, int64_t{1} << 62, Sums(0, 1)), "expected window 0");
  ExpectBroken(streams.OnReport(2, 0, Sums(0, 0)), "rank 2");
  EXPECT_TRUE(streams.OnReport(0, 0, Sums(0, 0)).ok());
  ExpectBroken(streams.OnReport(0, 0, Sums(1, 0)), "different sums");
  EXPECT_TRUE(streams.OnReport(0, 1, Sums(0, 1)).ok());
  ExpectBroken(streams.OnReport(0, 2, Sums(0, 2)), "granted: up to 1");
  ExpectBroken(streams.OnFinished(0, 23, 5, Sums(0, 5)), "expected window 2");
  EXPECT_EQ(streams.OnHello(2, std::nullopt).status().code(), absl::StatusCode::kInvalidArgument);
  AttemptStreams fresh(plan_.options);
  ExpectBroken(fresh.OnReport(0, 0, Sums(0, 0)), "before the attempt has started");
}

TEST_F(OneRun, TheShortLastWindowBelongsIntoFinished) {
  AttemptStreams streams = Started();
  for (int64_t w = 0; w < 5; ++w) {
    for (int rank : {0, 1}) EXPECT_TRUE(streams.OnReport(rank, w, Sums(rank, w)).ok());
  }
  ExpectBroken(streams.OnReport(0, 5, Sums(0, 5)), "ends early at step 23");
  EXPECT_TRUE(streams.latest_totals() == plan_.Version(4));
  EXPECT_EQ(Granted(streams.OnFinished(0, 23, 5, Sums(0, 5))), Pairs{});
  EXPECT_TRUE(streams.latest_totals() == plan_.Version(4));
  EXPECT_EQ(Granted(streams.OnFinished(1, 23, 5, Sums(1, 5))), Pairs{});
  EXPECT_TRUE(streams.latest_totals() == plan_.Version(5));
}

TEST_F(OneRun, AStoppedRunKeepsThePartOfTheOpenWindow) {
  AttemptStreams streams = Started();
  for (int rank : {0, 1}) EXPECT_TRUE(streams.OnReport(rank, 0, Sums(rank, 0)).ok());
  for (int rank : {0, 1}) {
    EXPECT_EQ(Granted(streams.OnFinished(rank, 6, 1, plan_.Sum(4, 6, rank, 2))), Pairs{});
  }
  DecayedTotals expected = plan_.Version(0);
  expected.Fold(plan_.Global(4, 6), plan_.options.decay);
  EXPECT_TRUE(streams.latest_totals() == expected);
}

TEST_F(OneRun, WithoutCompensationGrantsAreNeutralAndTotalsKept) {
  plan_.options.compensate = false;
  AttemptStreams streams = Started();
  EXPECT_TRUE(streams.OnReport(0, 0, Sums(0, 0)).ok());
  const auto outcome = streams.OnReport(1, 0, Sums(1, 0));
  ASSERT_EQ(Granted(outcome).size(), 2u);
  EXPECT_TRUE(outcome->deliveries.front().grant.compensation == Compensation::Neutral(3));
  EXPECT_TRUE(outcome->deliveries.front().grant.totals == plan_.Version(0));
}

TEST_F(OneRun, StatesThatFitNoStepAreRefused) {
  const auto hello = [&](const Resume& resume) {
    return AttemptStreams(plan_.options).OnHello(0, resume);
  };
  EXPECT_TRUE(hello(ResumeAt(plan_, 6)).ok());
  Resume late = ResumeAt(plan_, 23);
  EXPECT_EQ(Granted(hello(late)), Pairs{});
  late.step = 24;
  ExpectBroken(hello(late), "the job has 23 steps");
  Resume other = ResumeAt(plan_, 9);
  other.totals_in_force = DecayedTotals(5);
  ExpectBroken(hello(other), "5 classes in the totals in force");
  Resume missing = ResumeAt(plan_, 9);
  missing.previous_window = WindowSums();
  ExpectBroken(hello(missing), "previous window");
  Resume border = ResumeAt(plan_, 8);
  border.open_window = plan_.Window(1);
  ExpectBroken(hello(border), "where window 2 begins");
  Resume first = ResumeAt(plan_, 2);
  first.previous_window = plan_.Window(1);
  ExpectBroken(hello(first), "window 0");
  Resume sparse = ResumeAt(plan_, 4);
  sparse.totals_in_force = DecayedTotals();
  sparse.open_window = WindowSums();
  EXPECT_TRUE(hello(sparse).ok());
}

}  // namespace
}  // namespace ltml::streams
