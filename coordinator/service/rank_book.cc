#include "coordinator/service/rank_book.h"

#include <algorithm>
#include <utility>

namespace ltml::service {
namespace {

// a + factor b.
v1::RankTimes Added(const v1::RankTimes& a, const v1::RankTimes& b, int factor = 1) {
  v1::RankTimes sum;
  sum.set_steps(a.steps() + factor * b.steps());
  sum.set_data_wait_seconds(a.data_wait_seconds() + factor * b.data_wait_seconds());
  sum.set_compute_seconds(a.compute_seconds() + factor * b.compute_seconds());
  sum.set_collective_wait_seconds(a.collective_wait_seconds() +
                                  factor * b.collective_wait_seconds());
  sum.set_grant_wait_seconds(a.grant_wait_seconds() + factor * b.grant_wait_seconds());
  return sum;
}

}  // namespace

void RankBook::Begin(const jobs::Placements& placements) {
  const std::vector<Rank> before = std::exchange(ranks_, {});
  for (const v1::Placement& placement : placements) {
    for (int i = 0; i < placement.ranks(); ++i) {
      const size_t rank = ranks_.size();
      Rank& added = ranks_.emplace_back();
      added.status.set_rank(static_cast<int>(rank));
      added.status.set_host(placement.host());
      if (rank < before.size()) added.past = Added(before[rank].past, before[rank].status.times());
    }
  }
}

v1::RankTimes RankBook::Heard(int rank, const v1::Progress& progress, UtcTime now) {
  if (rank < 0 || rank >= std::ssize(ranks_)) return {};
  Rank& heard = ranks_[rank];
  v1::RankTimes past = Added(progress.times(), heard.status.times(), -1);
  const Mark mark{progress.times(), now};
  if (!heard.status.has_last_message_time()) heard.older = heard.newer = mark;
  if (now - heard.newer.time >= kRecent) heard.older = std::exchange(heard.newer, mark);
  *heard.status.mutable_last_message_time() = ToTimestamp(now);
  heard.status.set_phase(progress.phase());
  heard.status.set_step(std::max(heard.status.step(), progress.step()));
  *heard.status.mutable_times() = progress.times();
  return past;
}

std::vector<v1::RankStatus> RankBook::ranks() const {
  std::vector<v1::RankStatus> statuses;
  for (const Rank& rank : ranks_) {
    v1::RankStatus& status = statuses.emplace_back(rank.status);
    *status.mutable_recent_times() = Added(rank.status.times(), rank.older.times, -1);
    *status.mutable_times() = Added(rank.past, rank.status.times());
  }
  return statuses;
}

}  // namespace ltml::service
