#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ltml/v1/job_service.pb.h"

namespace ltml::view {

// What should meet the eye first, as pure functions of what is seen.

// At the newest validation; nullopt before the first one, and for a class without positives.
std::optional<double> Precision(const v1::ClassView& one);
// Since the validation before.
std::optional<double> PrecisionChange(const v1::ClassView& one);

// Classes that have an average precision, the weakest first; of equal ones the rarer.
std::vector<const v1::ClassView*> Weakest(const v1::RunView& view, size_t count);

// A step's seconds of one rank.  Zero steps: all zero.
struct StepTime {
  double compute = 0, data_wait = 0, collective_wait = 0, grant_wait = 0;
  double total() const { return compute + data_wait + collective_wait + grant_wait; }
  // What the rank makes the others wait for.
  double work() const { return compute + data_wait; }
};
// Of the last seconds where there are some, else of the whole run.
StepTime StepTimeOf(const v1::RankStatus& rank);

struct Straggler {
  int rank = 0;
  double times_others = 1;  // its work over the median of the others'
};
// The rank that the others wait for: its work is at least 1.2 times the median of the others', and
// they wait for sums at least 5 % of their time.
std::optional<Straggler> FindStraggler(const std::vector<v1::RankStatus>& ranks);

// By the images a second of the last logged step; nullopt where that is not known, or nothing runs.
std::optional<double> SecondsLeft(const v1::Job& job);
// Images of both streams in a step.
double ImagesOfStep(const v1::JobSpec& spec);

}  // namespace ltml::view
