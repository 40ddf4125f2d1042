#pragma once

#include <chrono>
#include <cstdint>

#include "worker/train/grant_source.h"

namespace ltml::train {

// What the steps since the last report took.  Time between steps (evaluations, checkpoints) does
// not count.
class StepClock {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void AddStep(Time begin, Time end, int64_t images) {
    total_ += end - begin;
    images_ += images;
    ++steps_;
  }
  void AddDataWait(Time begin, Time end) { data_wait_ += end - begin; }
  void AddCollectiveWait(Time begin, Time end) { collective_wait_ += end - begin; }
  void AddGrantWait(Time begin, Time end) { grant_wait_ += end - begin; }
  void Restart() { *this = StepClock(); }

  // 0 where nothing was measured.
  double images_per_second() const {
    return total_.count() > 0 ? static_cast<double>(images_) / total_.count() : 0;
  }
  double data_wait_ratio() const { return total_.count() > 0 ? data_wait_ / total_ : 0; }
  double grant_wait_seconds() const { return grant_wait_.count(); }
  RankTimes times() const {
    return {.steps = steps_,
            .data_wait_seconds = data_wait_.count(),
            .compute_seconds = (total_ - data_wait_ - collective_wait_ - grant_wait_).count(),
            .collective_wait_seconds = collective_wait_.count(),
            .grant_wait_seconds = grant_wait_.count()};
  }

 private:
  std::chrono::duration<double> total_{}, data_wait_{}, collective_wait_{}, grant_wait_{};
  int64_t images_ = 0;
  int64_t steps_ = 0;
};

}  // namespace ltml::train
