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
  bool connected = false;  // said hello
  bool finished = false;
  bool lost = false;  // its session is broken, and it had neither finished nor failed
  std::string host;
  v1::Phase phase = v1::PHASE_START;
  int64_t counter = 0;
  int64_t step = 0;
  Time last_message{};   // any message
  Time last_progress{};  // phase, counter or step moved
};

// Liveness and progress, judged apart: nullopt while all is well, else why the attempt must end.
//
//   cause        rank                                                        deadline
//   LAUNCH       never said hello (all such ranks are named)                 limits.start
//   RANK_SILENT  no message, longest silent first                            limits.lease
//   NO_PROGRESS  phase, counter and step stand: start, weights               limits.start
//                                               step                         limits.step
//                                               evaluation                   limits.evaluation
//                                               checkpoint                   limits.checkpoint
//
// in this order.  A rank that stands is not blamed while another one that is not ahead of it (by
// steps) is within its own deadline: it may be waiting for that one.  Of all ranks over their
// deadline the one least far is named (step, then counter within one phase, then the longer silent,
// then the longer still).  Finished ranks are not judged.  `launched` is when mpirun was started.
std::optional<v1::Failure> Judge(const std::vector<RankView>& ranks, const v1::Limits& limits,
                                 Time launched, Time now);

}  // namespace ltml::streams
