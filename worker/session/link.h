#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "ltml/v1/worker_service.grpc.pb.h"
#include "worker/session/outbox.h"

namespace ltml::session {

struct LinkOptions {
  std::string address;
  std::string authority;                         // PEM; empty: plaintext, to local addresses only
  std::function<v1::WorkerMessage()> hello;      // first on every connection; as heartbeat
  std::chrono::nanoseconds beat{};               // pause between heartbeats
  std::function<v1::WorkerMessage()> heartbeat;  // quick, takes no lock
  // Called on the reading thread, in order.
  std::function<void(const v1::CoordinatorMessage&)> receive;
};

// The connection to the coordinator: one thread reads and connects again after a break, for ever;
// another writes the outbox and heartbeats.  Thread-safe.
class Link {
 public:
  explicit Link(LinkOptions options);
  // Breaks off what is under way.
  ~Link();

  // Waits for the coordinator, then starts the threads.  DeadlineExceeded names the address;
  // FailedPrecondition: plaintext to an address that is not local.
  absl::Status Connect(std::chrono::nanoseconds limit);
  void Send(v1::WorkerMessage message);
  void SendReport(v1::WorkerMessage message);
  void Acknowledge(int64_t window);
  // Sends the last message and waits until the coordinator has read everything.
  absl::Status Close(v1::WorkerMessage message, std::chrono::nanoseconds limit);
  // Gives up: breaks the connection and opens no other.
  void Stop();

 private:
  using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream;
  };

  void ReadLoop();
  void Announce(Call& call);
  bool Attach();
  // Takes the call back from the writing thread.
  void Detach(Call& call);
  // True when there is nothing left to read.  `heard`: the connection worked before it ended.
  bool Ended(const grpc::Status& status, bool heard);
  void WriteLoop();
  // The call to write to and the next message; false when stopped.
  bool AwaitWork(Call*& call, v1::WorkerMessage& message, bool& last);
  void Written(Call& call, bool ok);

  const LinkOptions options_;
  std::shared_ptr<grpc::Channel> channel_;  // shared: gRPC's way of handing out channels
  std::unique_ptr<v1::WorkerService::Stub> stub_;

  absl::Mutex mutex_;
  Outbox outbox_ ABSL_GUARDED_BY(mutex_);
  Call* call_ ABSL_GUARDED_BY(mutex_) = nullptr;  // lives in ReadLoop
  bool writable_ ABSL_GUARDED_BY(mutex_) = false;
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::string last_reason_ ABSL_GUARDED_BY(mutex_);  // why the last session ended
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::chrono::steady_clock::time_point next_beat_;  // the writing thread's
  std::thread reader_, writer_;
};

}  // namespace ltml::session
