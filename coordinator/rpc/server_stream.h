#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/call_context.h"
#include "coordinator/rpc/request_checks.h"
#include "coordinator/rpc/stream_pump.h"

namespace ltml::coordinator {

// What a stream does next.
struct StreamStep {
  enum class Kind { kWrite, kWait, kEnd };
  Kind kind = Kind::kWait;
  absl::Status status;  // kEnd

  static StreamStep Write() { return {Kind::kWrite, {}}; }
  static StreamStep Wait() { return {}; }
  static StreamStep End(absl::Status status) { return {Kind::kEnd, std::move(status)}; }
};

// A server stream that pulls: whenever nothing is being written, it asks its Next for a message, so
// that a slow reader slows Next down and holds one message.  Lives until gRPC is done with it.
template <typename Response>
class ServerStream : public grpc::ServerWriteReactor<Response>, public PumpedStream {
 public:
  ServerStream(CallEnvironment& environment, const Method& method,
               grpc::CallbackServerContext& context, StreamPump& pump)
      : call_(environment, method, context), pump_(pump) {}

  // Call once, on the handler's thread: admits the caller, checks the request, and starts.
  template <typename Request>
  static grpc::ServerWriteReactor<Response>* Start(
      const std::shared_ptr<ServerStream<Response>>& stream, const Request& request) {
    stream->self_ = stream;
    stream->call_.set_subject(request.name());
    if (const absl::Status admitted = stream->Admit(request); !admitted.ok()) stream->End(admitted);
    stream->Advance();
    return stream.get();
  }

  void Advance() final {
    {
      const absl::MutexLock lock(&mutex_);
      again_ = busy_;
      if (busy_) return;
      busy_ = true;
    }
    Run();
  }

  void End(const absl::Status& status) final {
    {
      const absl::MutexLock lock(&mutex_);
      if (end_.has_value()) return;
      end_ = status;
    }
    Advance();
  }

 protected:
  // Fills `response` and says Write, or says Wait (Advance is called when it may have changed) or
  // End.  Called without locks, one call at a time, on gRPC's threads and the pump's.
  virtual StreamStep Next(Response* response) = 0;
  // The last call, on one of gRPC's threads.
  virtual void Release() {}

  CallContext& call() { return call_; }
  StreamPump& pump() { return pump_; }
  std::shared_ptr<PumpedStream> self() const { return self_; }

 private:
  template <typename Request>
  absl::Status Admit(const Request& request) {
    absl::Status status = call_.Admit();
    if (status.ok()) status = Check(request);
    if (status.ok()) status = call_.options().limit->OpenStream(call_.user());
    if (!status.ok()) return status;
    counted_ = true;
    return pump_.Open(self_);
  }

  // The stream's one driver: whoever set busy_.
  void Run() {
    while (true) {
      outgoing_ = Response();
      const StreamStep step = NextOrEnd();
      if (step.kind == StreamStep::Kind::kWrite) return this->StartWrite(&outgoing_);
      if (step.kind == StreamStep::Kind::kEnd) return this->Finish(call_.Conclude(step.status));
      const absl::MutexLock lock(&mutex_);
      busy_ = std::exchange(again_, false);
      if (!busy_) return;
    }
  }

  StreamStep NextOrEnd() {
    {
      const absl::MutexLock lock(&mutex_);
      again_ = false;
      if (end_.has_value()) return StreamStep::End(*end_);
    }
    return Next(&outgoing_);
  }

  void OnWriteDone(bool ok) final {
    if (!ok) {
      const absl::MutexLock lock(&mutex_);
      if (!end_.has_value()) end_ = absl::CancelledError("the client has gone");
    }
    Run();
  }

  void OnCancel() final { End(absl::CancelledError("the client has gone")); }

  void OnDone() final {
    const auto self = std::move(self_);
    Release();
    pump_.Close(self);
    if (counted_) call_.options().limit->CloseStream(call_.user());
  }

  CallContext call_;
  StreamPump& pump_;
  std::shared_ptr<ServerStream> self_;  // shared: gRPC, the pump and listeners hold a stream
  bool counted_ = false;
  Response outgoing_;  // gRPC's between StartWrite and OnWriteDone

  absl::Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ltml::coordinator
