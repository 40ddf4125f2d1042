#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <memory_resource>

#include "absl/status/statusor.h"
#include "ltml/v1/run.pb.h"
#include "worker/train/collective.h"
#include "worker/train/step_graph.h"

namespace ltml::worker {

// Where a rank computes.
struct RankDevice {
  at::Device device = at::kCPU;
  // For batches: pinned where they go to a GPU.  Lives as long as the program.
  std::pmr::memory_resource* batch_memory = std::pmr::get_default_resource();
  // Joins the ranks in memory of the host and of the GPU; null where there is no GPU.
  std::unique_ptr<train::Collective> collective;
  // For steps as graphs; null where there are none.
  std::unique_ptr<train::GraphRecorder> graph;
};

// The part in which the programs ltml-worker (device_cpu.cc) and ltml-worker-cuda (device_cuda.cc)
// differ.

// Settings of the process; at the start of main.
void PrepareDevices();

// The device that the job asks for; a GPU is the one that the task gives the rank, or else that of
// the rank's number on its host.  All ranks together.  `host` must outlive the result.  Errors
// carry their cause.
absl::StatusOr<RankDevice> OpenDevice(const v1::WorkerTask& task, train::Collective& host);

}  // namespace ltml::worker
