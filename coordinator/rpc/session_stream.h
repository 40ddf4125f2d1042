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
  // The rank has nothing more to say: the stream is to be ended when all that it said is safe.
  virtual void OnHalfClose(const std::shared_ptr<SessionStream>& stream) = 0;
  // The last call for this stream.
  virtual void OnEnd(const std::shared_ptr<SessionStream>& stream) = 0;
};

// One rank's stream: reads message after message, writes a queue in order, and ends once.  Holds
// itself alive until gRPC is done with it; others may keep it longer, then its methods do nothing.
// Thread-safe.
class SessionStream : public grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage> {
 public:
  // `door` hears of it until it is handed over, and of its end in any case; it must outlive the
  // server.
  static std::shared_ptr<SessionStream> Create(SessionListener& door,
                                               grpc::CallbackServerContext* context);
  // Starts to read.  Call once.
  void Begin() { StartRead(&incoming_); }
  // From now on `owner` hears of it.  Only while OnMessage is called for it.
  void HandOver(std::shared_ptr<SessionListener> owner) { owner_ = std::move(owner); }

  void Send(v1::CoordinatorMessage message);
  // Ends the stream with `status` once the queue is written; later messages are dropped.
  void End(grpc::Status status);
  // Ends it at once, also where the rank does not read what is written.
  void Cancel();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  SessionStream(SessionListener& door, grpc::CallbackServerContext* context)
      : door_(door), context_(context) {}
  SessionListener& listener() { return owner_ == nullptr ? door_ : *owner_; }
  // Starts the next write or the end, if one is due and nothing is under way.
  void Advance();

  SessionListener& door_;
  std::shared_ptr<SessionListener> owner_;  // shared: an attempt may end before its last stream
  std::shared_ptr<SessionStream> self_;     // shared: gRPC and the attempt both hold a stream
  v1::WorkerMessage incoming_;              // gRPC's between StartRead and OnReadDone
  v1::CoordinatorMessage outgoing_;         // gRPC's between StartWrite and OnWriteDone

  absl::Mutex context_mutex_;
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(context_mutex_);  // null when done

  absl::Mutex mutex_;
  std::deque<v1::CoordinatorMessage> queue_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ltml::coordinator
