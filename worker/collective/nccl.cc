#include "worker/collective/nccl.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/backoff.h"
#include "common/base/status_macros.h"
#include "worker/collective/nccl_communicator.h"
#include "worker/collective/nccl_status.h"

namespace ltml::collective {
namespace {

using std::chrono::nanoseconds;
using train::Buffer;
using train::ElementType;
using Clock = std::chrono::steady_clock;

// The GPU stands still between the end of a sum and the step's next work.
constexpr std::chrono::microseconds kLongestNap{50};

ncclDataType_t TypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return ncclFloat32;
    case ElementType::kFloat64:
      return ncclFloat64;
    case ElementType::kInt64:
      break;
  }
  return ncclInt64;
}

struct DestroyEvent {
  void operator()(cudaEvent_t event) const { (void)cudaEventDestroy(event); }
};
using Event = std::unique_ptr<CUevent_st, DestroyEvent>;
struct DestroyStream {
  void operator()(cudaStream_t stream) const { (void)cudaStreamDestroy(stream); }
};
using Stream = std::unique_ptr<CUstream_st, DestroyStream>;

class Nccl final : public train::Collective {
 public:
  Nccl(const NcclOptions& options, std::unique_ptr<NcclCommunicator> communicator)
      : options_(options), communicator_(std::move(communicator)) {}

  absl::Status Open();

  int rank() const override { return options_.rank; }
  int world_size() const override { return options_.world_size; }
  Ticket StartAllReduceSum(Buffer buffer) override {
    return Start("all-reduce", buffer, [&](ncclComm_t communicator) {
      return ncclAllReduce(buffer.data, buffer.data, buffer.count, TypeOf(buffer.type), ncclSum,
                           communicator, stream_.get());
    });
  }
  Ticket StartBroadcast(Buffer buffer, int root) override {
    return Start("broadcast", buffer, [&](ncclComm_t communicator) {
      return ncclBroadcast(buffer.data, buffer.data, buffer.count, TypeOf(buffer.type), root,
                           communicator, stream_.get());
    });
  }
  absl::Status Wait(Ticket ticket, nanoseconds timeout) override;
  absl::Status Follow(Ticket ticket, nanoseconds timeout) override;

 private:
  struct Operation {
    std::string name;
    Event done;
  };

  Ticket Start(std::string_view kind, const Buffer& buffer,
               const std::function<ncclResult_t(ncclComm_t)>& call);
  absl::Status Enqueue(std::string_view name, const Buffer& buffer, const Event& done,
                       const std::function<ncclResult_t(ncclComm_t)>& call);
  absl::Status Fail(absl::Status status);
  absl::Status AwaitDone(const Operation& operation, nanoseconds timeout);
  absl::StatusOr<Event> TakeEvent();
  // Number of started_.front(), or of the next operation.
  Ticket FirstStarted() const { return last_ - std::ssize(started_) + 1; }
  cudaStream_t CallersStream() const { return static_cast<cudaStream_t>(options_.stream()); }
  absl::Status OfCuda(cudaError_t error, std::string_view operation) const {
    return StatusOfCuda(error, error == cudaSuccess ? "" : communicator_->Where(operation));
  }

  const NcclOptions options_;
  // Members end in reverse order: the communicator first, then the stream that it works on.
  Stream stream_;
  std::vector<Event> spare_;
  std::deque<Operation> started_;  // that nobody has waited for; the last one is number last_
  Ticket last_ = 0;
  absl::Status failure_;
  std::unique_ptr<NcclCommunicator> communicator_;
};

absl::Status Nccl::Open() {
  int least = 0, greatest = 0;
  cudaStream_t stream = nullptr;
  LTML_RETURN_IF_ERROR(
      OfCuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities"));
  LTML_RETURN_IF_ERROR(OfCuda(
      cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest), "making a stream"));
  stream_.reset(stream);
  return absl::OkStatus();
}

absl::StatusOr<Event> Nccl::TakeEvent() {
  if (!spare_.empty()) {
    Event event = std::move(spare_.back());
    spare_.pop_back();
    return event;
  }
  cudaEvent_t event = nullptr;
  LTML_RETURN_IF_ERROR(
      OfCuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event"));
  return Event(event);
}

Nccl::Ticket Nccl::Start(std::string_view kind, const Buffer& buffer,
                         const std::function<ncclResult_t(ncclComm_t)>& call) {
  ++last_;
  if (!failure_.ok()) return last_;
  const std::string name = fmt::format("NCCL {} {} of {} elements", kind, last_, buffer.count);
  absl::StatusOr<Event> done = TakeEvent();
  const absl::Status begun =
      done.ok() ? Enqueue(name, buffer, *done, call) : absl::Status(done.status());
  if (!begun.ok()) {
    (void)Fail(begun);
  } else {
    started_.push_back({name, *std::move(done)});
  }
  return last_;
}

// The event serves twice: to hold NCCL back until the caller's work is done, and to tell the end.
absl::Status Nccl::Enqueue(std::string_view name, const Buffer& buffer, const Event& done,
                           const std::function<ncclResult_t(ncclComm_t)>& call) {
  if (!buffer.on_device) {
    return absl::InternalError(communicator_->Where(fmt::format("{} is not on a GPU", name)));
  }
  LTML_RETURN_IF_ERROR(OfCuda(cudaEventRecord(done.get(), CallersStream()), name));
  LTML_RETURN_IF_ERROR(OfCuda(cudaStreamWaitEvent(stream_.get(), done.get()), name));
  LTML_RETURN_IF_ERROR(communicator_->Call(name, options_.call_limit, call));
  return OfCuda(cudaEventRecord(done.get(), stream_.get()), name);
}

absl::Status Nccl::Fail(absl::Status status) {
  if (!failure_.ok()) return failure_;
  failure_ = std::move(status);
  communicator_->Abandon();
  return failure_;
}

absl::Status Nccl::AwaitDone(const Operation& operation, nanoseconds timeout) {
  const Clock::time_point end = Clock::now() + timeout;
  for (base::Backoff backoff(kLongestNap);; backoff.Pause()) {
    const cudaError_t state = cudaEventQuery(operation.done.get());
    if (state == cudaSuccess) return absl::OkStatus();
    if (state != cudaErrorNotReady) return OfCuda(state, operation.name);
    LTML_RETURN_IF_ERROR(communicator_->Check(operation.name));
    if (Clock::now() > end) {
      return absl::DeadlineExceededError(fmt::format(
          "{} did not end within {:.1f} s: another rank is late, stopped or lost",
          communicator_->Where(operation.name), std::chrono::duration<double>(timeout).count()));
    }
  }
}

absl::Status Nccl::Follow(Ticket ticket, nanoseconds) {
  if (!failure_.ok()) return failure_;
  if (ticket < FirstStarted()) return absl::OkStatus();
  const Operation& operation = started_[ticket - FirstStarted()];
  const absl::Status held =
      OfCuda(cudaStreamWaitEvent(CallersStream(), operation.done.get()), operation.name);
  return held.ok() ? held : Fail(held);
}

absl::Status Nccl::Wait(Ticket ticket, nanoseconds timeout) {
  if (!failure_.ok()) return failure_;
  const Ticket first = FirstStarted();
  if (ticket < first) return absl::OkStatus();
  const absl::Status ended = AwaitDone(started_[ticket - first], timeout);
  if (!ended.ok()) return Fail(ended);
  for (Ticket over = first; over <= ticket; ++over) {
    spare_.push_back(std::move(started_.front().done));
    started_.pop_front();
  }
  return absl::OkStatus();
}

}  // namespace

void PinNcclAlgorithms() {
  constexpr int kKeepTheUsers = 0;
  setenv("NCCL_ALGO", "Ring", kKeepTheUsers);
  setenv("NCCL_PROTO", "Simple", kKeepTheUsers);
  setenv("NCCL_NVLS_ENABLE", "0", kKeepTheUsers);
}

absl::StatusOr<NcclId> ShareNcclId(train::Collective& host, nanoseconds timeout) {
  NcclId id{};
  absl::Status made;
  if (host.rank() == 0) {
    ncclUniqueId unique{};
    made = StatusOfNccl(ncclGetUniqueId(&unique), "rank 0: making NCCL's id");
    if (made.ok()) std::memcpy(id.data(), &unique, sizeof(unique));
  }
  const absl::Status told = host.Broadcast(train::BufferOf(std::span<int64_t>(id)), 0, timeout);
  LTML_RETURN_IF_ERROR(made);
  LTML_RETURN_IF_ERROR(told);
  if (id != NcclId{}) return id;
  return absl::AbortedError("rank 0 could not make NCCL's id; its own message says why");
}

absl::StatusOr<std::unique_ptr<train::Collective>> MakeNccl(const NcclOptions& options) {
  LTML_ASSIGN_OR_RETURN(std::unique_ptr<NcclCommunicator> communicator,
                        NcclCommunicator::Create(options));
  auto nccl = std::make_unique<Nccl>(options, std::move(communicator));
  LTML_RETURN_IF_ERROR(nccl->Open());
  return nccl;
}

}  // namespace ltml::collective
