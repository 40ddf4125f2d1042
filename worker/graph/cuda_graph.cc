#include "worker/graph/cuda_graph.h"

#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include "worker/model/torch_status.h"
#include "worker/train/device_mark.h"

namespace ltml::graph {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

bool Succeeds(const std::function<void()>& call) {
  return model::CatchTorch([&] {
           call();
           return absl::OkStatus();
         })
      .ok();
}

class CudaGraph final : public train::GraphRecorder {
 public:
  explicit CudaGraph(c10::Device device)
      : device_(device),
        stream_(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)),
        before_(device),
        after_(device) {}

  // Autograd's nodes may outlive a step and stay with its stream, which a capture must not meet: so
  // plain steps use the stream of captures.
  void Run(const std::function<void()>& work) override {
    before_.Set();
    before_.HoldBack(stream_);
    {
      const c10::StreamGuard on(stream_);
      work();
    }
    after_.Set(stream_);
    after_.HoldBack();
  }

  absl::Status Record(const std::function<void()>& work) override {
    graph_.reset();
    return model::CatchTorch([&]() -> absl::Status {
      // What plain steps have left free is not for the record, which gets memory of its own.
      allocator::emptyCache();
      auto graph = std::make_unique<at::cuda::CUDAGraph>();
      const c10::StreamGuard on(stream_);
      const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
      absl::Status recorded = Capture(*graph, pool, work);
      if (recorded.ok()) graph_ = std::move(graph);
      return recorded;
    });
  }

  void Replay() override { graph_->replay(); }

 private:
  // A capture that has begun must end, or the stream and the allocator stay in it.
  absl::Status Capture(at::cuda::CUDAGraph& graph, at::cuda::MempoolId_t pool,
                       const std::function<void()>& work) const {
    graph.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    const absl::Status worked = model::CatchTorch([&] {
      work();
      return absl::OkStatus();
    });
    const absl::Status ended = model::CatchTorch([&] {
      graph.capture_end();
      return absl::OkStatus();
    });
    if (!ended.ok() && !OwnsPool(graph)) LeavePool(pool);
    return worked.ok() ? ended : worked;
  }

  // Then the graph's destructor gives the pool back.
  static bool OwnsPool(at::cuda::CUDAGraph& graph) {
    return Succeeds([&] { (void)graph.pool(); });
  }

  // What capture_end and the destructor leave undone when CUDA finds a capture invalid.  How far
  // capture_end came depends on the version of LibTorch: what it did already may throw.
  void LeavePool(at::cuda::MempoolId_t pool) const {
    at::HostAllocator* const host = at::getHostAllocator(at::kCUDA);
    (void)Succeeds([&] { allocator::endAllocateToPool(device_.index(), pool); });
    (void)Succeeds([&] { allocator::releasePool(device_.index(), pool); });
    (void)Succeeds([&] { host->end_allocate_to_pool(pool); });
    (void)Succeeds([&] { host->release_pool(pool); });
  }

  const c10::Device device_;
  const c10::Stream stream_;
  train::DeviceMark before_, after_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
};

}  // namespace

std::unique_ptr<train::GraphRecorder> MakeCudaGraph(c10::Device device) {
  return std::make_unique<CudaGraph>(device);
}

}  // namespace ltml::graph
