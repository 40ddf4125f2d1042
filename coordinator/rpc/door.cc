#include "coordinator/rpc/door.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/log.h"
#include "coordinator/rpc/messages.h"

namespace ltml::coordinator {
namespace {

constexpr std::chrono::seconds kHelloLimit{10};
constexpr absl::Duration kLastWordLimit = absl::Seconds(10);
// More streams without a hello than all ranks of a pool would open at once after a restart.
constexpr size_t kMostStrangers = 4096;
// Of names and the token in a hello; longer ones would also not fit into a status.
constexpr size_t kLongestText = 512;

grpc::Status Unavailable(const char* reason) { return {grpc::StatusCode::UNAVAILABLE, reason}; }

bool TooLong(const v1::Hello& hello) {
  return hello.host().size() > kLongestText || hello.token().size() > kLongestText ||
         hello.job_id().size() > kLongestText || hello.program_version().size() > kLongestText;
}

}  // namespace

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Door::Session(
    grpc::CallbackServerContext* context) {
  const Stream stream = SessionStream::Create(*this, context);
  bool ending = false, crowded = false;
  {
    absl::MutexLock lock(&mutex_);
    ++streams_;
    ending = ending_;
    crowded = strangers_.size() >= kMostStrangers;
    if (!ending && !crowded) strangers_.emplace(stream, Clock::now() + kHelloLimit);
  }
  if (ending) {
    stream->End(Unavailable("the coordinator ends"));
  } else if (crowded) {
    stream->End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams without a hello"});
  } else {
    stream->Begin();
  }
  return stream.get();
}

void Door::OnMessage(const Stream& stream, const v1::WorkerMessage& message) {
  bool opened = false;
  {
    absl::MutexLock lock(&mutex_);
    // Not there: it was ended already, and what was still read says nothing.
    if (strangers_.erase(stream) == 0) return;
    opened = opened_;
  }
  if (!message.has_hello()) return Refuse(stream, message, "the first message is not a hello");
  if (TooLong(message.hello())) {
    return Refuse(stream, message,
                  fmt::format("the hello has a text of more than {} bytes", kLongestText));
  }
  const std::shared_ptr<LiveAttempt> attempt = find_(message.hello().job_id());
  if (attempt != nullptr) {
    stream->HandOver(attempt);
    return attempt->OnMessage(stream, message);
  }
  if (!opened) return stream->End(Unavailable("the coordinator is starting: come again"));
  Refuse(stream, message,
         fmt::format("rank {} on {}: job '{}' has no running attempt", message.hello().rank(),
                     message.hello().host(), message.hello().job_id()));
}

void Door::Refuse(const Stream& stream, const v1::WorkerMessage& message,
                  const std::string& reason) {
  base::Log(base::LogLevel::kWarning, "session_refused", "reason={}", base::LogValue(reason));
  stream->Send(RefusalMessage(message.attempt_epoch(), reason));
  stream->End({grpc::StatusCode::ABORTED, reason});
}

void Door::OnHalfClose(const Stream& stream) {
  stream->End({grpc::StatusCode::INVALID_ARGUMENT, "the session ended without a hello"});
}

void Door::OnEnd(const Stream& stream) {
  absl::MutexLock lock(&mutex_);
  strangers_.erase(stream);
  --streams_;
}

Door::~Door() {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return streams_ == 0; };
  mutex_.AwaitWithTimeout(absl::Condition(&none), kLastWordLimit);
}

void Door::Open() {
  absl::MutexLock lock(&mutex_);
  opened_ = true;
}

void Door::EndSilent() {
  std::vector<Stream> silent;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [stream, deadline] : strangers_) {
      if (deadline <= Clock::now()) silent.push_back(stream);
    }
    for (const Stream& stream : silent) strangers_.erase(stream);
  }
  for (const Stream& stream : silent) {
    stream->End({grpc::StatusCode::DEADLINE_EXCEEDED, "no hello within 10 s"});
  }
}

void Door::EndAll() {
  std::map<Stream, Clock::time_point> strangers;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    strangers.swap(strangers_);
  }
  for (const auto& [stream, deadline] : strangers) stream->End(Unavailable("the coordinator ends"));
}

}  // namespace ltml::coordinator
