#pragma once

#include <cstdint>
#include <vector>

#include "ltml/v1/report.pb.h"

namespace ltml::view {

// Logged steps of a run of any length, in bounded memory: when there are more than kMost, each two
// neighbours become their mean, and later ones are taken together as many at a time.  The step of a
// mean is that of its last line.  Not thread-safe.
class StepHistory {
 public:
  static constexpr size_t kMost = 600;

  // In order of steps.
  void Add(const v1::StepMetrics& line);
  void Clear() { *this = StepHistory(); }
  std::vector<v1::StepMetrics> steps() const;

 private:
  struct Entry {
    v1::StepMetrics sum;
    int64_t lines = 0;
  };
  static void Merge(Entry& into, const Entry& next);

  std::vector<Entry> entries_;
  int64_t lines_together_ = 1;
};

}  // namespace ltml::view
