#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/host_name.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "worker/app/cause.h"
#include "worker/app/device.h"
#include "worker/collective/by_memory.h"
#include "worker/collective/nccl.h"
#include "worker/graph/cuda_graph.h"

namespace ltml::worker {
namespace {

// Host memory that a GPU reads by itself.
class PinnedMemory final : public std::pmr::memory_resource {
 public:
  explicit PinnedMemory(int device) : device_(device) {}

 private:
  // In whatever thread: without its GPU chosen, it would open the first one.
  void* do_allocate(size_t bytes, size_t) override {
    void* memory = nullptr;
    if (cudaSetDevice(device_) != cudaSuccess ||
        cudaHostAlloc(&memory, bytes, cudaHostAllocPortable) != cudaSuccess) {
      throw std::bad_alloc();
    }
    return memory;
  }
  void do_deallocate(void* memory, size_t, size_t) override { (void)cudaFreeHost(memory); }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  const int device_;
};

// mpirun's; a rank without mpirun is alone on its host.
int LocalRank() {
  const char* text = std::getenv("OMPI_COMM_WORLD_LOCAL_RANK");
  return text == nullptr ? 0 : std::atoi(text);
}

absl::StatusOr<int> ChooseDevice(const v1::WorkerTask& task, int rank) {
  int devices = 0;
  const cudaError_t asked = cudaGetDeviceCount(&devices);
  const int device = rank < task.devices_size() ? task.devices(rank) : LocalRank();
  if (asked == cudaSuccess && device < devices) return device;
  const std::string reason =
      asked == cudaSuccess ? "" : fmt::format(" ({})", cudaGetErrorString(asked));
  return absl::FailedPreconditionError(
      fmt::format("host {} has {} CUDA devices{}, and rank {} needs device {} for itself: lower "
                  "resources.ranks or "
                  "the host's slots, see CUDA_VISIBLE_DEVICES, or set resources.device = \"cpu\"",
                  base::HostName(), devices, reason, rank, device));
}

// The same bits in every run, and float32 that is float32.
void SetNumerics() {
  at::Context& context = at::globalContext();
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
}

// Off until a GPU has shown that a graph's steps have the bits of plain ones (tests/gpu).
bool GraphsAreAskedFor() {
  const char* wish = std::getenv("LTML_CUDA_GRAPH");
  return wish != nullptr && std::string_view(wish) == "1";
}

at::Device Gpu(int number) { return {at::kCUDA, static_cast<c10::DeviceIndex>(number)}; }

absl::StatusOr<std::unique_ptr<train::Collective>> JoinByNccl(const v1::WorkerTask& task, int gpu,
                                                              train::Collective& host) {
  const auto start_limit = base::ToNanoseconds(task.job().limits().start());
  collective::NcclOptions options;
  options.rank = host.rank();
  options.world_size = host.world_size();
  options.device = gpu;
  options.start_limit = start_limit;
  options.call_limit = base::ToNanoseconds(task.job().limits().step());
  options.stream = [device = Gpu(gpu)] {
    const c10::impl::VirtualGuardImpl guard(device.type());
    return guard.getStreamNativeHandle(guard.getStream(device));
  };
  LTML_ASSIGN_OR_RETURN(options.id, collective::ShareNcclId(host, start_limit));
  LTML_ASSIGN_OR_RETURN(auto nccl, collective::MakeNccl(options));
  return collective::MakeByMemory(host, std::move(nccl));
}

}  // namespace

void PrepareDevices() { collective::PinNcclAlgorithms(); }

absl::StatusOr<RankDevice> OpenDevice(const v1::WorkerTask& task, train::Collective& host) {
  RankDevice opened;
  if (task.job().resources().device() != v1::Resources::DEVICE_CUDA) return opened;
  const absl::StatusOr<int> chosen = ChooseDevice(task, host.rank());
  if (!chosen.ok()) return WithCause(chosen.status(), v1::FAILURE_CAUSE_CONFIGURATION);
  opened.device = Gpu(*chosen);
  c10::impl::VirtualGuardImpl(at::kCUDA).setDevice(opened.device);
  SetNumerics();
  static PinnedMemory pinned(*chosen);
  opened.batch_memory = &pinned;
  auto joined = JoinByNccl(task, *chosen, host);
  if (!joined.ok()) return WithCause(joined.status(), v1::FAILURE_CAUSE_COLLECTIVE);
  opened.collective = *std::move(joined);
  if (GraphsAreAskedFor()) opened.graph = graph::MakeCudaGraph(opened.device);
  base::Log(base::LogLevel::kInfo, "gpu_opened", "device={} graph={}", *chosen,
            opened.graph != nullptr);
  return opened;
}

}  // namespace ltml::worker
