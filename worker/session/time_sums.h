#pragma once

#include <atomic>
#include <cstdint>

#include "ltml/v1/worker_service.pb.h"
#include "worker/train/grant_source.h"

namespace ltml::session {

// Times of a rank's steps since its process began.  One thread adds, any may read: without a lock,
// so a reader may see a report in part; the next message makes it whole.
class TimeSums {
 public:
  void Add(const train::RankTimes& times) {
    steps_ = steps_ + times.steps;
    data_wait_ = data_wait_ + times.data_wait_seconds;
    compute_ = compute_ + times.compute_seconds;
    collective_wait_ = collective_wait_ + times.collective_wait_seconds;
    grant_wait_ = grant_wait_ + times.grant_wait_seconds;
  }

  v1::RankTimes ToProto() const {
    v1::RankTimes proto;
    proto.set_steps(steps_);
    proto.set_data_wait_seconds(data_wait_);
    proto.set_compute_seconds(compute_);
    proto.set_collective_wait_seconds(collective_wait_);
    proto.set_grant_wait_seconds(grant_wait_);
    return proto;
  }

 private:
  std::atomic<int64_t> steps_{0};
  std::atomic<double> data_wait_{0}, compute_{0}, collective_wait_{0}, grant_wait_{0};
};

}  // namespace ltml::session
