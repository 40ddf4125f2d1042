#include "coordinator/rpc/watch_stream.h"

#include <fmt/format.h>

#include "common/base/status_macros.h"
#include "coordinator/jobs/transition.h"

namespace ltml::coordinator {
namespace {

constexpr Method kWatch{"JobService.Watch", security::Right::kView};

bool EndsJob(const v1::JobEvent& event) {
  return event.has_state_change() && jobs::IsTerminal(event.state_change().to());
}

}  // namespace

void WatchStream::Inbox::OnEvent(const v1::JobEvent& event) {
  {
    const absl::MutexLock lock(&mutex_);
    overflown_ = overflown_ || events_.size() >= kMostEvents;
    if (overflown_) return;
    events_.push_back(event);
  }
  Wake();
}

void WatchStream::Inbox::OnJob(const v1::Job& job) {
  auto newest = std::make_unique<v1::Job>(job);
  {
    const absl::MutexLock lock(&mutex_);
    job_.swap(newest);
  }
  Wake();
}

void WatchStream::Inbox::Wake() {
  if (const auto stream = stream_.lock()) pump_.Wake(stream);
}

std::optional<v1::JobEvent> WatchStream::Inbox::TakeEvent() {
  const absl::MutexLock lock(&mutex_);
  if (events_.empty()) return std::nullopt;
  v1::JobEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::unique_ptr<v1::Job> WatchStream::Inbox::TakeJob() {
  const absl::MutexLock lock(&mutex_);
  return std::move(job_);
}

bool WatchStream::Inbox::overflown() {
  const absl::MutexLock lock(&mutex_);
  return overflown_ && events_.empty();
}

grpc::ServerWriteReactor<v1::WatchResponse>* WatchStream::Start(
    CallEnvironment& environment, StreamPump& pump, grpc::CallbackServerContext& context,
    const v1::WatchRequest& request) {
  return ServerStream::Start(std::make_shared<WatchStream>(environment, pump, context, request),
                             request);
}

WatchStream::WatchStream(CallEnvironment& environment, StreamPump& pump,
                         grpc::CallbackServerContext& context, const v1::WatchRequest& request)
    : ServerStream(environment, kWatch, context, pump),
      name_(request.name()),
      sent_(request.after()) {}

// A number of the future means that the reader watched another server, or another store.
absl::Status WatchStream::CheckAfter() {
  LTML_ASSIGN_OR_RETURN(const v1::Job job, call().options().manager->Get(name_));
  if (sent_ <= job.last_event()) return absl::OkStatus();
  return BadField("after", fmt::format("got {}, but the newest event of {} is {}", sent_, name_,
                                       job.last_event()));
}

absl::Status WatchStream::Subscribe() {
  subscription_.reset();
  inbox_ = std::make_shared<Inbox>(pump(), self());
  LTML_ASSIGN_OR_RETURN(subscription_, call().options().manager->Watch(name_, sent_, inbox_));
  return absl::OkStatus();
}

StreamStep WatchStream::Next(v1::WatchResponse* response) {
  if (inbox_ == nullptr) {
    absl::Status status = CheckAfter();
    if (status.ok()) status = Subscribe();
    if (!status.ok()) return StreamStep::End(std::move(status));
  }
  if (ended_) return StreamStep::End(absl::OkStatus());
  if (begun_ && inbox_->overflown()) {
    if (absl::Status status = Subscribe(); !status.ok()) return StreamStep::End(std::move(status));
  }
  return TakeMessage(response) ? StreamStep::Write() : StreamStep::Wait();
}

bool WatchStream::TakeMessage(v1::WatchResponse* response) {
  if (begun_) {
    if (auto event = inbox_->TakeEvent()) {
      sent_ = event->sequence();
      ended_ = EndsJob(*event);
      *response->mutable_event() = *std::move(event);
      return true;
    }
  }
  auto job = inbox_->TakeJob();
  if (job == nullptr) return false;
  begun_ = true;
  // A reader that has seen all events of an ended job gets the job alone.
  ended_ = jobs::IsTerminal(job->state()) && job->last_event() <= sent_;
  *response->mutable_job() = std::move(*job);
  return true;
}

}  // namespace ltml::coordinator
