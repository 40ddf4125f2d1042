#pragma once

#include <c10/core/Device.h>

#include <memory>

#include "worker/train/step_graph.h"

namespace ltml::graph {

// CUDA graphs, through LibTorch's allocator: memory that recorded work takes is its own for as long
// as the record lives.  Records on a stream of its own; while it does, other threads may use CUDA.
// A record may hold no work of NCCL.  For one thread.
std::unique_ptr<train::GraphRecorder> MakeCudaGraph(c10::Device device);

}  // namespace ltml::graph
