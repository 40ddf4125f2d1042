#pragma once

#include <cstdint>
#include <vector>

#include "coordinator/jobs/placement.h"
#include "coordinator/service/utc_time.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::service {

// What the ranks of a job have told of themselves: those of its newest attempt, with the times of
// all attempts added up by rank.  Pure and not thread-safe.
class RankBook {
 public:
  // `recent_times` covers the last kRecent to 2 kRecent.
  static constexpr std::chrono::seconds kRecent{10};

  // A new attempt; ranks are placed in order.
  void Begin(const jobs::Placements& placements);
  // Returns its times since it was heard before.  Ranks that were not placed are ignored.
  v1::RankTimes Heard(int rank, const v1::Progress& progress, UtcTime now);
  std::vector<v1::RankStatus> ranks() const;

 private:
  struct Mark {
    v1::RankTimes times;  // of this attempt
    UtcTime time;
  };
  struct Rank {
    v1::RankStatus status;  // its times are those of this attempt
    Mark older, newer;      // at least kRecent apart
    v1::RankTimes past;     // of earlier attempts
  };
  std::vector<Rank> ranks_;
};

}  // namespace ltml::service
