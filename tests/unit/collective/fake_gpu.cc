#include "tests/unit/collective/fake_gpu.h"

#include <cuda_runtime_api.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using ltml::fake_gpu::Census;
using ltml::fake_gpu::Fault;
using ltml::fake_gpu::kDevices;

namespace {

// One lock for all, and one signal for whatever changes.
std::mutex lock;
std::condition_variable changed;
using Locked = std::unique_lock<std::mutex>;

Census census;
std::array<Fault, kDevices> faults{};
bool aborts_held = false;
std::set<cudaStream_t> streams;
thread_local int current_device = 0;

void Tally(int Census::*what, int change) {
  const Locked held(lock);
  census.*what += change;
}

// A recording of an event.
struct Mark {
  bool done = false;
};

}  // namespace

struct CUstream_st {
  using Task = std::function<void(Locked&)>;

  CUstream_st() : device(current_device), thread([this] { Work(); }) {
    const Locked held(lock);
    streams.insert(this);
  }
  ~CUstream_st() {
    {
      const Locked held(lock);
      ended = true;
      streams.erase(this);
    }
    changed.notify_all();
    thread.join();
  }

  void Give(Locked& /*held*/, Task task) {
    tasks.push_back(std::move(task));
    changed.notify_all();
  }
  bool idle() const { return tasks.empty(); }

  const int device;

 private:
  void Work() {
    Locked held(lock);
    for (;;) {
      changed.wait(held, [this] { return ended || !tasks.empty(); });
      if (tasks.empty()) return;
      tasks.front()(held);
      tasks.pop_front();
      changed.notify_all();
    }
  }

  std::deque<Task> tasks;
  bool ended = false;
  std::thread thread;
};

struct CUevent_st {
  std::shared_ptr<Mark> mark;
};

namespace {

cudaStream_t Resolve(cudaStream_t stream) {
  if (stream != cudaStreamPerThread) return stream;
  thread_local CUstream_st own;
  return &own;
}

// Work that takes its time, so that nobody passes it by chance.
void Later(cudaStream_t stream, const std::function<void()>& work) {
  CUstream_st* const one = Resolve(stream);
  Locked held(lock);
  one->Give(held, [work](Locked& inner) {
    inner.unlock();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    work();
    inner.lock();
  });
}

void AwaitDevice(int device) {
  Locked held(lock);
  changed.wait(held, [device] {
    for (const CUstream_st* stream : streams) {
      if (stream->device == device && !stream->idle()) return false;
    }
    return true;
  });
}

struct Operation {
  void* data = nullptr;
  size_t count = 0;
  ncclDataType_t type = ncclFloat32;
  int root = -1;  // of a broadcast; a sum has none
};

// The ranks that one id brings together.
struct Ring {
  int ranks = 0;
  int arrived = 0;
  struct Round {
    std::vector<Operation> operations;  // by rank
    int arrived = 0;
    bool done = false;
    bool broken = false;  // a rank is gone, and its memory with it
  };
  std::map<int, Round> rounds;  // by number
};
std::map<int, std::shared_ptr<Ring>> rings;  // by the number in the id
int last_ring = 0;

template <typename T>
void Sum(const std::vector<Operation>& operations) {
  for (size_t i = 0; i < operations[0].count; ++i) {
    T sum = 0;
    for (const Operation& operation : operations) sum += static_cast<const T*>(operation.data)[i];
    for (const Operation& operation : operations) static_cast<T*>(operation.data)[i] = sum;
  }
}

void Run(const std::vector<Operation>& operations) {
  const Operation& first = operations[0];
  if (first.root >= 0) {
    const size_t bytes = first.count * (first.type == ncclFloat32 ? 4 : 8);
    const void* const from = operations[first.root].data;
    for (const Operation& operation : operations) {
      if (operation.data != from) std::memcpy(operation.data, from, bytes);
    }
  } else if (first.type == ncclFloat32) {
    Sum<float>(operations);
  } else if (first.type == ncclFloat64) {
    Sum<double>(operations);
  } else {
    Sum<int64_t>(operations);
  }
}

}  // namespace

struct ncclComm {
  std::shared_ptr<Ring> ring;
  int rank = 0;
  int device = 0;
  int rounds = 0;      // that were taken up
  int polls_left = 0;  // until what is in progress is taken up
  std::function<void(Locked&)> in_progress;
  ncclResult_t error = ncclSuccess;
  bool finalized = false;
  std::shared_ptr<bool> aborted = std::make_shared<bool>(false);
};

namespace {

constexpr int kPolls = 2;
constexpr int kNever = -1;

ncclResult_t Poll(Locked& held, ncclComm& communicator) {
  if (communicator.error != ncclSuccess) return communicator.error;
  if (communicator.ring->arrived < communicator.ring->ranks) return ncclInProgress;
  if (communicator.in_progress == nullptr) return ncclSuccess;
  if (communicator.polls_left == kNever || --communicator.polls_left > 0) return ncclInProgress;
  std::exchange(communicator.in_progress, nullptr)(held);
  return ncclSuccess;
}

// The last rank to come does the work of all.
void Meet(Locked& held, Ring& ring, Ring::Round& round, int rank, const Operation& operation,
          const bool& aborted) {
  round.operations.resize(ring.ranks);
  round.operations[rank] = operation;
  if (++round.arrived == ring.ranks && !round.broken) {
    Run(round.operations);
    round.done = true;
    changed.notify_all();
  }
  changed.wait(held, [&] { return round.done || aborted; });
  round.broken = !round.done;
}

void TakeUp(Locked& held, ncclComm& communicator, const Operation& operation, cudaStream_t stream) {
  stream->Give(held,
               [ring = communicator.ring, rank = communicator.rank, number = communicator.rounds++,
                aborted = communicator.aborted, operation](Locked& inner) {
                 Meet(inner, *ring, ring->rounds[number], rank, operation, *aborted);
               });
}

ncclResult_t Start(ncclComm& communicator, const Operation& operation, cudaStream_t stream) {
  Locked held(lock);
  const Fault fault = std::exchange(faults[communicator.device], Fault::kNone);
  const bool busy = communicator.in_progress != nullptr || communicator.finalized;
  if (busy || fault == Fault::kInvalidUsage || stream->device != communicator.device) {
    return ncclInvalidUsage;
  }
  communicator.polls_left = fault == Fault::kNotTakenUp ? kNever : kPolls;
  communicator.in_progress = [&communicator, operation, stream, fault](Locked& inner) {
    if (fault != Fault::kRemoteError) return TakeUp(inner, communicator, operation, stream);
    stream->Give(inner, [aborted = communicator.aborted](Locked& waiting) {
      changed.wait(waiting, [&] { return *aborted; });
    });
    communicator.error = ncclRemoteError;
  };
  return ncclInProgress;
}

}  // namespace

namespace ltml::fake_gpu {

void FailNext(int device, Fault fault) {
  const Locked held(lock);
  faults[device] = fault;
}

void HoldAborts(bool hold) {
  {
    const Locked held(lock);
    aborts_held = hold;
  }
  changed.notify_all();
}

Census Count() {
  const Locked held(lock);
  return census;
}

}  // namespace ltml::fake_gpu

extern "C" {

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaSuccess ? "no error" : "an error of the fake GPU";
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return cudaErrorInvalidDevice;
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  AwaitDevice(current_device);
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  Tally(&Census::arrays, 1);
  return cudaSuccess;
}

// Waits for the GPU, as the real one may.
cudaError_t cudaFree(void* data) {
  AwaitDevice(current_device);
  std::free(data);
  Tally(&Census::arrays, -1);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind /*kind*/) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  Later(stream, [=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  Later(stream, [=] { std::memset(data, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned /*flags*/,
                                         int /*priority*/) {
  *stream = new CUstream_st;
  Tally(&Census::streams, 1);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  Tally(&Census::streams, -1);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const CUstream_st* const one = Resolve(stream);
  Locked held(lock);
  changed.wait(held, [one] { return one->idle(); });
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
  CUstream_st* const one = Resolve(stream);
  Locked held(lock);
  if (event->mark == nullptr) return cudaSuccess;
  one->Give(held, [mark = event->mark](Locked& inner) {
    changed.wait(inner, [&] { return mark->done; });
  });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned /*flags*/) {
  *event = new CUevent_st;
  Tally(&Census::events, 1);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  Tally(&Census::events, -1);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  CUstream_st* const one = Resolve(stream);
  Locked held(lock);
  event->mark = std::make_shared<Mark>();
  one->Give(held, [mark = event->mark](Locked&) { mark->done = true; });
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Locked held(lock);
  return event->mark == nullptr || event->mark->done ? cudaSuccess : cudaErrorNotReady;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess ? "no error" : "an error of the fake NCCL";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const Locked held(lock);
  std::memset(id, 0, sizeof *id);
  ++last_ring;
  std::memcpy(id, &last_ring, sizeof last_ring);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* communicator, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  int number = 0;
  std::memcpy(&number, &id, sizeof number);
  const Locked held(lock);
  if (config->blocking != 0 || number < 1 || number > last_ring) return ncclInvalidArgument;
  std::shared_ptr<Ring>& ring = rings[number];
  if (ring == nullptr) ring = std::make_shared<Ring>();
  ring->ranks = ranks;
  ++ring->arrived;
  *communicator = new ncclComm;
  (*communicator)->ring = ring;
  (*communicator)->rank = rank;
  (*communicator)->device = current_device;
  ++census.communicators;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator, ncclResult_t* error) {
  Locked held(lock);
  *error = Poll(held, *communicator);
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* /*from*/, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t communicator, cudaStream_t stream) {
  if (operation != ncclSum) return ncclInvalidArgument;
  return Start(*communicator, {to, count, type}, stream);
}

ncclResult_t ncclBroadcast(const void* /*from*/, void* to, size_t count, ncclDataType_t type,
                           int root, ncclComm_t communicator, cudaStream_t stream) {
  return Start(*communicator, {to, count, type, root}, stream);
}

ncclResult_t ncclCommFinalize(ncclComm_t communicator) {
  const Locked held(lock);
  if (communicator->in_progress != nullptr || communicator->finalized) return ncclInvalidUsage;
  communicator->finalized = true;
  communicator->polls_left = kPolls;
  communicator->in_progress = [](Locked&) {};
  return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t communicator) {
  const Locked held(lock);
  if (!communicator->finalized || communicator->in_progress != nullptr) return ncclInvalidUsage;
  delete communicator;
  --census.communicators;
  ++census.destroyed;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t communicator) {
  {
    Locked held(lock);
    changed.wait(held, [] { return !aborts_held; });
    *communicator->aborted = true;
    delete communicator;
    --census.communicators;
    ++census.aborted;
  }
  changed.notify_all();
  return ncclSuccess;
}

}  // extern "C"
