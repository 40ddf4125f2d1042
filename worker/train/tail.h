#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "worker/model/network.h"
#include "worker/train/collective.h"
#include "worker/train/grant_source.h"

namespace ltml::train {

// Parts of the loss, each divided by K and the global batch; consistency without lambda.
struct LossParts {
  double total = 0, classification_uniform = 0, classification_rebalanced = 0, consistency = 0;
  bool finite() const;
  // "total 2.1, uniform 1.0, re-balanced 0.9, consistency 2.0".
  std::string ToString() const;
};

// The last, small bucket of a step, summed over ranks in double: batch norm's running statistics
// weighted by the rank's share of the step's images, loss parts, the control word (rank 0's bits)
// and a slot a rank that says 'my loss is not finite'.  Equal on all ranks after the sum, so they
// all take the same decision.  With one rank the weight is 1 and nothing changes a bit.
//
// Destroyed while its sum is under way, it leaves the memory to the collective for good.
class StepTail {
 public:
  // `running_statistics` may be empty.  They must live on.
  StepTail(std::vector<model::NamedTensor> running_statistics, int rank, int world_size);
  ~StepTail();
  StepTail(const StepTail&) = delete;
  StepTail& operator=(const StepTail&) = delete;

  // Fills the bucket with this rank's part.  `weight` is local / global images, `command` counts on
  // rank 0 only.
  void Fill(double weight, const LossParts& loss, Command command);
  Collective::Ticket Start(Collective& collective);
  // After the Wait.
  void Finish() { in_flight_ = false; }

  LossParts loss() const;
  // kStop wins over kCheckpoint.
  Command command() const;
  // First rank whose loss was not finite; -1 for none.
  int non_finite_rank() const;
  // Writes the averaged statistics back into the network.
  void StoreRunningStatistics();

 private:
  const double* slots() const;

  std::vector<model::NamedTensor> running_;
  const int rank_, world_size_;
  int64_t running_elements_ = 0;
  at::Tensor flat_;  // double: running statistics, 4 loss parts, 2 control bits, world_size flags
  bool in_flight_ = false;
};

}  // namespace ltml::train
