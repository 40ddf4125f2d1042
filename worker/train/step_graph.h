#pragma once

#include <ATen/ATen.h>

#include <chrono>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "worker/train/batch_feed.h"

namespace ltml::train {

// Port of the trainer: a piece of a device's work that is given again as one (CUDA graphs).
class GraphRecorder {
 public:
  virtual ~GraphRecorder() = default;
  // Calls `work` as it is called to be recorded, in the same queue of the device, but the device
  // does it: behind what the thread has given it before, ahead of what it gets later.  What
  // libraries make for a queue on first use is there, then, when `work` is recorded.
  virtual void Run(const std::function<void()>& work) = 0;
  // Calls `work` once and records what it gives the device, which does nothing of it yet.  Numbers
  // that `work` takes from the host are those of every replay, and so are addresses; it must not
  // wait for the device.  What was recorded before is forgotten.  An error leaves nothing recorded
  // and the device as it was.
  virtual absl::Status Record(const std::function<void()>& work) = 0;
  // Gives the device what was recorded, behind what the thread has given it before.
  virtual void Replay() = 0;
};

// The local part of steps, plainly at first and then from a record.  The first steps are plain, by
// GraphRecorder::Run; then one is recorded, with tensors of its own for the images, into which
// those of each step are copied.  Steps of another shape stay plain.  Where recording fails, that
// is logged once and every step is plain.  Not thread-safe.
class StepGraph {
 public:
  static constexpr int kPlainSteps = 3;

  enum class Way { kPlain, kRecorded };
  using Work = std::function<void(const StepImages&)>;

  // `recorder` must live on, or is null: every step is plain.  `limit`: for waits for the device.
  StepGraph(GraphRecorder* recorder, c10::Device device, std::chrono::nanoseconds limit)
      : recorder_(recorder), device_(device), limit_(limit) {}

  // Gives the device the work of a step.  kPlain: it was called with `images` for this very step;
  // kRecorded: it was not called, or only to be recorded.
  Way Run(const StepImages& images, const Work& work);
  // Within a call of `work` that is recorded.
  bool recording() const { return recording_; }

 private:
  Way RunPlainly(const StepImages& images, const Work& work);
  bool Fits(const StepImages& images) const;
  void CopyImages(const StepImages& images);
  absl::Status Record(const Work& work);
  bool IsRecorded(const Work& work);

  GraphRecorder* recorder_;
  const c10::Device device_;
  const std::chrono::nanoseconds limit_;
  int plain_steps_ = 0;
  bool recorded_ = false, recording_ = false;
  StepImages images_;  // what the record reads
};

}  // namespace ltml::train
