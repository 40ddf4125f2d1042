#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <functional>
#include <vector>

#include "worker/train/step_graph.h"

namespace ltml::train {

// A GraphRecorder for the processor: a tape of LibTorch's kernels with the tensors they worked on.
// A replay calls them again, and puts what they return where it was returned the first time.  So,
// as on a GPU, nothing but kernels is repeated, with the numbers and addresses of the record.
// Recording works on a processor; therefore the first replay does nothing.  One at a time in a
// thread.
class Tape final : public GraphRecorder {
 public:
  void Run(const std::function<void()>& work) override {
    ++runs;
    work();
  }
  absl::Status Record(const std::function<void()>& work) override;
  void Replay() override;

  struct Call {
    c10::OperatorHandle kernel;
    c10::DispatchKeySet keys;
    torch::jit::Stack arguments, results;
  };
  size_t size() const { return calls_.size(); }
  int runs = 0, records = 0, replays = 0;
  // Record fails after that many kernels; -1: never.
  int fails_after = -1;

 private:
  std::vector<Call> calls_;
  bool done_once_ = false;
};

}  // namespace ltml::train
