#pragma once

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "ltml/v1/worker_service.pb.h"

namespace ltml::coordinator {

class SessionStream;

// Whom a stream tells what happens on it.  Called on gRPC's threads; for one stream one at a time.
class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void OnMessage(const std::shared_ptr<SessionStream>& stream,
                         const v1::WorkerMessage& message) = 0;
  // The last call for this stream.
  virtual void OnEnd(const std::shared_ptr<SessionStream>& stream) = 0;
};

// One rank's stream: reads message after message, writes a queue in order, and ends once.  Holds
// itself alive until gRPC is done with it; others may keep it longer, then its methods do nothing.
// Thread-safe.
class SessionStream : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage> {
 public:
  // `listener` must outlive the server.
  static std::shared_ptr<SessionStream> Create(SessionListener& listener);
  // Starts to read.  Call once.
  void Begin() { StartRead(&incoming_); }

  void Send(v1::CoordinatorMessage message);
  // Ends the stream with `status` once the queue is written; later messages are dropped.
  void End(grpc::Status status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  explicit SessionStream(SessionListener& listener) : listener_(listener) {}
  // Starts the next write or the end, if one is due and nothing is under way.
  void Advance();

  SessionListener& listener_;
  std::shared_ptr<SessionStream> self_;  // shared: gRPC and the attempt both hold a stream
  v1::WorkerMessage incoming_;           // gRPC's between StartRead and OnReadDone
  v1::CoordinatorMessage outgoing_;      // gRPC's between StartWrite and OnWriteDone

  absl::Mutex mutex_;
  std::deque<v1::CoordinatorMessage> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ltml::coordinator
