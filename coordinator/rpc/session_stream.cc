#include "coordinator/rpc/session_stream.h"

#include <grpcpp/server_context.h>

#include <utility>

namespace ltml::coordinator {

std::shared_ptr<SessionStream> SessionStream::Create(SessionListener& door,
                                                     grpc::CallbackServerContext* context) {
  std::shared_ptr<SessionStream> stream(new SessionStream(door, context));
  stream->self_ = stream;
  return stream;
}

void SessionStream::Send(v1::CoordinatorMessage message) {
  {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    queue_.push_back(std::move(message));
  }
  Advance();
}

void SessionStream::End(grpc::Status status) {
  {
    absl::MutexLock lock(&mutex_);
    if (end_.has_value()) return;
    end_ = std::move(status);
  }
  Advance();
}

void SessionStream::Advance() {
  std::optional<grpc::Status> end;
  {
    absl::MutexLock lock(&mutex_);
    if (writing_ || finished_) return;
    if (!queue_.empty()) {
      outgoing_ = std::move(queue_.front());
      queue_.pop_front();
      writing_ = true;
    } else if (end_.has_value()) {
      finished_ = true;
      end = end_;
    } else {
      return;
    }
  }
  // writing_ and finished_ were claimed above, so no other thread gets here before gRPC answers.
  if (end.has_value()) {
    Finish(*end);
  } else {
    StartWrite(&outgoing_);
  }
}

void SessionStream::OnReadDone(bool ok) {
  if (!ok) return listener().OnHalfClose(self_);
  listener().OnMessage(self_, incoming_);
  StartRead(&incoming_);
}

void SessionStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) queue_.clear();
  }
  if (!ok) End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the session is broken"));
  Advance();
}

void SessionStream::Cancel() {
  absl::MutexLock lock(&context_mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void SessionStream::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    queue_.clear();
  }
  End(grpc::Status(grpc::StatusCode::CANCELLED, "the session was cancelled"));
}

void SessionStream::OnDone() {
  const std::shared_ptr<SessionStream> self = std::move(self_);
  {
    absl::MutexLock lock(&context_mutex_);
    context_ = nullptr;
  }
  const std::shared_ptr<SessionListener> owner = std::move(owner_);
  if (owner != nullptr) owner->OnEnd(self);
  door_.OnEnd(self);
}

}  // namespace ltml::coordinator
