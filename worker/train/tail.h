#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "worker/model/loss.h"
#include "worker/model/network.h"
#include "worker/train/collective.h"
#include "worker/train/device_mark.h"
#include "worker/train/grant_source.h"

namespace ltml::train {

// Parts of the loss, each divided by K and the global batch; consistency without lambda.
struct LossParts {
  double total = 0, classification_uniform = 0, classification_rebalanced = 0, consistency = 0;
  bool finite() const;
  // "total 2.1, uniform 1.0, re-balanced 0.9, consistency 2.0".
  std::string ToString() const;
};

// What is wrong with a rank's step.
struct StepFault {
  int rank = 0;
  int parameter = -1;  // whose gradient is unsound; -1: the loss is not finite
};

// The last, small bucket of a step, summed over ranks in double: batch norm's running statistics
// weighted by the rank's share of the step's images, loss parts, the control word (rank 0's bits)
// and a slot a rank for its fault.  Equal on all ranks after the sum, so they all take the same
// decision.  With one rank the weight is 1 and nothing changes a bit.
//
// Destroyed while its sum is under way, it leaves the memory to the collective for good.
class StepTail {
 public:
  // `running_statistics` may be empty.  They must live on.
  StepTail(std::vector<model::NamedTensor> running_statistics, int rank, int world_size,
           at::Device device = at::kCPU);
  ~StepTail();
  StepTail(const StepTail&) = delete;
  StepTail& operator=(const StepTail&) = delete;

  // Fills the bucket with this rank's part.  `weight` is local / global images, `command` counts on
  // rank 0 only.  `unsound_parameter`: a parameter with an unsound gradient, or -1.
  void Fill(double weight, const LossParts& loss, Command command, int unsound_parameter);
  // The same by operators, where the network is, without a look at the values and without the
  // command: `unsound_code` is GradientBuckets::UnsoundCode.
  void Fill(double weight, const model::LossTerms& loss, const at::Tensor& unsound_code);
  // Adds the command to what was filled in by operators.
  void SetCommand(Command command);
  Collective::Ticket Start(Collective& collective);
  // When the sum has ended, where the host alone takes part in it.
  void Finish() { in_flight_ = false; }
  // By operators, all after the sum.  Whether any rank has a fault: a float32 scalar, 1 or 0.
  at::Tensor Faulty() const;
  // Begins to fetch what the host wants to know, one small copy.
  void BeginFetch();
  // Until the copy is there, and with it the sum.
  absl::Status Fetch(std::chrono::nanoseconds limit);
  // The sum by other means: this rank's part, and the sum of the parts of all ranks in order.
  void CopyTo(double* part) const;
  void SetSum(const std::vector<const double*>& parts);

  // Doubles of a tail over such buffers.
  static int64_t Doubles(const std::vector<model::NamedTensor>& running_statistics, int world_size);

  LossParts loss() const;
  // kStop wins over kCheckpoint.
  Command command() const;
  // Of the first rank that has one.
  std::optional<StepFault> fault() const;
  // Writes the averaged statistics back into the network; where `faulty` (see Faulty) is given and
  // not 0, the network keeps its own.
  void StoreRunningStatistics(const at::Tensor& faulty = {});

 private:
  const double* slots() const;
  at::Tensor GatherRunning() const;
  void FillRunningStatistics(double weight);

  std::vector<model::NamedTensor> running_;
  std::vector<at::Tensor> running_tensors_;
  std::vector<int64_t> running_sizes_;
  const int rank_, world_size_;
  at::Tensor flat_;   // double: running statistics, 4 loss parts, 2 control bits, world_size faults
  at::Tensor slots_;  // all but the running statistics
  at::Tensor host_slots_;  // the same memory, or a copy where that is on a GPU
  DeviceMark fetched_;
  int64_t running_elements_ = 0;
  bool in_flight_ = false;
};

}  // namespace ltml::train
