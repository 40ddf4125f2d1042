#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/app/local_run.h"
#include "coordinator/launch/mpirun_report.h"
#include "coordinator/streams/health.h"
#include "ltml/v1/run.pb.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

// How an attempt ended, as far as its processes tell.
struct Ending {
  v1::ExitRecord record;
  std::vector<streams::RankView> ranks;       // as last seen
  std::optional<launch::RankExit> rank_exit;  // the rank that mpirun blames
  std::string log_tail;                       // what mpirun and that rank said last
  streams::Time now;
  bool interrupted = false;  // ended at once because the user wanted that
};

// What an attempt came to.  Causes are ranked, because one fault makes others: a rank that dies
// takes its neighbours' collectives along, so a cause COLLECTIVE or COORDINATOR_LOST stands only
// when nothing better is known.  Pure: time comes in as an argument.
class Verdict {
 public:
  Verdict(int ranks, std::string host);

  // A rank's own message, or the coordinator's judgement.  The first of the better kind wins.
  void OnFailure(const v1::Failure& failure, streams::Time now);
  void OnFinished(int rank, const v1::Finished& finished);
  void OnStep(int64_t step);

  int64_t step() const { return step_; }
  bool all_finished() const;
  // Nothing that ranks could still say would change the outcome.
  bool decided() const { return all_finished() || first_cause_.has_value(); }
  // The failure to end the attempt for; a secondary one waits a second for a better cause.
  std::optional<v1::Failure> Settled(streams::Time now) const;

  jobs::RunOutcome Conclude(const Ending& ending) const;

 private:
  v1::Failure FailureOf(const Ending& ending) const;
  std::optional<v1::Failure> KilledLauncher(const Ending& ending) const;
  std::optional<v1::Failure> KilledRank(const Ending& ending) const;
  std::optional<v1::Failure> SilentRank(const Ending& ending) const;
  v1::Failure VanishedRank(const Ending& ending) const;
  v1::Failure About(int rank, const Ending& ending, v1::FailureCause cause,
                    std::string message) const;

  std::string host_;
  std::vector<bool> finished_;
  bool stopped_ = false;
  int64_t step_ = 0;
  std::optional<v1::Failure> first_cause_;
  std::optional<v1::Failure> first_effect_;
  streams::Time effect_since_;
};

}  // namespace ltml::coordinator
