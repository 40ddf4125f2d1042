#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/streams/attempt.h"
#include "ltml/v1/job.pb.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::streams {

// What the coordinator has seen of one rank.
struct RankView {
  bool connected = false;      // said hello
  bool finished = false;
  std::string host;
  v1::Phase phase = v1::PHASE_START;
  int64_t counter = 0;
  int64_t step = 0;
  Time last_message;           // any message
  Time last_progress;          // phase or counter moved
};

// Liveness and progress, judged apart: nullopt while all is well, else why the attempt must end.
// Ranks that wait for others (same phase and counter as a slower one) are not blamed: of all ranks
// over their deadline the one least far is named.  `launched` is when mpirun was started.
std::optional<v1::Failure> Judge(const std::vector<RankView>& ranks, const v1::Limits& limits,
                                 Time launched, Time now);

}  // namespace ltml::streams
