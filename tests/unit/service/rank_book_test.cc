#include "coordinator/service/rank_book.h"

#include <gtest/gtest.h>

namespace ltml::service {
namespace {

using std::chrono::seconds;

constexpr UtcTime kStart{std::chrono::hours(500000)};

jobs::Placements OnHosts(std::initializer_list<std::pair<const char*, int>> hosts) {
  jobs::Placements placements;
  for (const auto& [host, ranks] : hosts) {
    placements.emplace_back().set_host(host);
    placements.back().set_ranks(ranks);
  }
  return placements;
}

v1::Progress At(int64_t steps, double compute) {
  v1::Progress progress;
  progress.set_phase(v1::PHASE_STEP);
  progress.set_step(steps);
  progress.mutable_times()->set_steps(steps);
  progress.mutable_times()->set_compute_seconds(compute);
  progress.mutable_times()->set_data_wait_seconds(compute / 8);
  progress.mutable_times()->set_collective_wait_seconds(compute / 4);
  progress.mutable_times()->set_grant_wait_seconds(compute / 2);
  return progress;
}

TEST(RankBook, NamesHostsInTheOrderOfRanks) {
  RankBook book;
  book.Begin(OnHosts({{"a", 2}, {"b", 1}}));
  book.Heard(2, At(5, 1), kStart);
  book.Heard(3, At(5, 1), kStart);
  const auto ranks = book.ranks();
  ASSERT_EQ(ranks.size(), 3u);
  EXPECT_EQ(ranks[1].host(), "a");
  EXPECT_FALSE(ranks[1].has_last_message_time());
  EXPECT_EQ(ranks[2].host(), "b");
  EXPECT_EQ(ranks[2].rank(), 2);
  EXPECT_EQ(ranks[2].step(), 5);
  EXPECT_EQ(ranks[2].phase(), v1::PHASE_STEP);
  EXPECT_EQ(FromTimestamp(ranks[2].last_message_time()), kStart);
}

TEST(RankBook, RecentTimesCoverTenToTwentySeconds) {
  RankBook book;
  book.Begin(OnHosts({{"a", 1}}));
  for (int second = 0; second <= 100; ++second) {
    book.Heard(0, At(2 * second, second), kStart + seconds(second));
    const v1::RankTimes recent = book.ranks()[0].recent_times();
    EXPECT_EQ(recent.steps(), 2 * recent.compute_seconds());
    EXPECT_EQ(recent.collective_wait_seconds(), recent.compute_seconds() / 4);
    EXPECT_GE(recent.compute_seconds(), std::min(second, 10));
    EXPECT_LT(recent.compute_seconds(), 20);
  }
}

TEST(RankBook, TimesOfEarlierAttemptsAreKept) {
  RankBook book;
  book.Begin(OnHosts({{"a", 2}}));
  book.Heard(0, At(10, 8), kStart);
  book.Heard(1, At(10, 16), kStart);
  book.Begin(OnHosts({{"b", 2}}));
  EXPECT_FALSE(book.ranks()[0].has_last_message_time());
  EXPECT_EQ(book.ranks()[0].times().compute_seconds(), 8);
  book.Heard(0, At(3, 1), kStart + seconds(60));
  book.Begin(OnHosts({{"b", 2}}));
  book.Heard(0, At(1, 0.5), kStart + seconds(90));
  const v1::RankTimes times = book.ranks()[0].times();
  EXPECT_EQ(times.steps(), 14);
  EXPECT_EQ(times.compute_seconds(), 9.5);
  EXPECT_EQ(times.data_wait_seconds(), 9.5 / 8);
  EXPECT_EQ(times.grant_wait_seconds(), 9.5 / 2);
  EXPECT_EQ(book.ranks()[1].times().compute_seconds(), 16);
}

}  // namespace
}  // namespace ltml::service
