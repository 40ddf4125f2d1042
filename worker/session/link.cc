#include "worker/session/link.h"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>

#include <algorithm>
#include <random>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"
#include "common/rpc/credentials.h"

namespace ltml::session {
namespace {

using Clock = std::chrono::steady_clock;

// For a write whose connection has ended.
constexpr absl::Duration kWriteLimit = absl::Milliseconds(500);

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

// Ranks that lost one server together come back to the next one spread out.
std::chrono::milliseconds Jittered(std::chrono::milliseconds pause, std::minstd_rand& random) {
  return std::chrono::milliseconds(
      std::uniform_int_distribution<int64_t>(pause.count() / 2, pause.count())(random));
}

}  // namespace

Link::Link(LinkOptions options) : options_(std::move(options)) {}

Link::~Link() {
  Stop();
  if (reader_.joinable()) reader_.join();
  if (writer_.joinable()) writer_.join();
}

absl::Status Link::Connect(std::chrono::nanoseconds limit) {
  // The token in the hello proves the rank; a certificate of its own it has not.
  LTML_ASSIGN_OR_RETURN(
      const auto credentials,
      rpc::ClientCredentials(options_.address,
                             {.certificate = {}, .key = {}, .authority = options_.authority}));
  channel_ = grpc::CreateCustomChannel(options_.address, credentials, rpc::ClientArguments());
  stub_ = v1::WorkerService::NewStub(channel_);
  const auto deadline = std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::system_clock::duration>(limit);
  if (!channel_->WaitForConnected(deadline)) {
    return absl::DeadlineExceededError(fmt::format(
        "no coordinator answers at {} within limits.start = {:.3g} s: does it still run?",
        options_.address, Seconds(limit)));
  }
  reader_ = std::thread([this] { ReadLoop(); });
  writer_ = std::thread([this] { WriteLoop(); });
  return absl::OkStatus();
}

void Link::Send(v1::WorkerMessage message) {
  absl::MutexLock lock(&mutex_);
  outbox_.Push(std::move(message));
}

void Link::SendReport(v1::WorkerMessage message) {
  absl::MutexLock lock(&mutex_);
  outbox_.PushReport(std::move(message));
}

void Link::Acknowledge(int64_t window) {
  absl::MutexLock lock(&mutex_);
  outbox_.Acknowledge(window);
}

absl::Status Link::Close(v1::WorkerMessage message, std::chrono::nanoseconds limit) {
  absl::MutexLock lock(&mutex_);
  outbox_.Push(std::move(message));
  closing_ = true;
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || stopped_; };
  mutex_.AwaitWithTimeout(absl::Condition(&done), absl::FromChrono(limit));
  if (closed_) return absl::OkStatus();
  return absl::DeadlineExceededError(
      fmt::format("the coordinator at {} did not take the last message within {:.3g} s",
                  options_.address, Seconds(limit)));
}

void Link::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (call_ != nullptr) call_->context.TryCancel();
}

void Link::ReadLoop() {
  std::minstd_rand random(std::random_device{}());
  std::chrono::milliseconds pause = rpc::kFirstReconnect;
  while (true) {
    Call call;
    // Only a call that waits drives the TLS handshake of its connection.
    call.context.set_wait_for_ready(true);
    Announce(call);
    call.stream = stub_->Session(&call.context);
    if (!Attach()) call.context.TryCancel();
    v1::CoordinatorMessage message;
    bool heard = false;
    while (call.stream->Read(&message)) {
      heard = true;
      pause = rpc::kFirstReconnect;
      options_.receive(message);
    }
    Detach(call);
    const grpc::Status status = call.stream->Finish();
    if (Ended(status, heard)) return;
    absl::MutexLock lock(&mutex_);
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopped_),
                                absl::FromChrono(Jittered(pause, random)))) {
      return;
    }
    pause = std::min(2 * pause, rpc::kLongestReconnect);
  }
}

// Stop cancels it from here on, also while it waits for the connection.
void Link::Announce(Call& call) {
  absl::MutexLock lock(&mutex_);
  call_ = &call;
  if (stopped_) call.context.TryCancel();
}

bool Link::Attach() {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return false;
  writable_ = true;
  greeted_ = false;
  outbox_.Restart(options_.hello());
  return true;
}

void Link::Detach(Call& call) {
  absl::MutexLock lock(&mutex_);
  call_ = nullptr;
  writable_ = false;
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !writing_; };
  // The coordinator answers the last message, and the writer may not know yet that it is written.
  if (mutex_.AwaitWithTimeout(absl::Condition(&idle), kWriteLimit)) return;
  // A write to a broken connection may wait for room; cancelling frees it.
  call.context.TryCancel();
  mutex_.Await(absl::Condition(&idle));
}

bool Link::Ended(const grpc::Status& status, bool heard) {
  absl::MutexLock lock(&mutex_);
  if (closing_ && outbox_.empty() && status.ok()) closed_ = true;
  if (closed_ || stopped_) return true;
  // Of many tries that end alike the first is told.
  if (!heard && status.error_message() == last_reason_) return false;
  last_reason_ = status.error_message();
  base::Log(base::LogLevel::kWarning, "coordinator_disconnected", "address={} reason={}",
            base::LogValue(options_.address), base::LogValue(status.error_message()));
  return false;
}

void Link::WriteLoop() {
  Call* call = nullptr;
  v1::WorkerMessage message;
  bool last = false;
  while (AwaitWork(call, message, last)) {
    const bool ok = call->stream->Write(message) && (!last || call->stream->WritesDone());
    Written(*call, ok);
  }
}

bool Link::AwaitWork(Call*& call, v1::WorkerMessage& message, bool& last) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopped_ || (writable_ && !outbox_.empty());
  };
  while (!stopped_) {
    const std::chrono::nanoseconds left = next_beat_ - Clock::now();
    const bool beat = left <= std::chrono::nanoseconds(0);
    if (beat) next_beat_ = Clock::now() + options_.beat;
    if (!beat) mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::FromChrono(left));
    if (stopped_ || !writable_ || (!beat && outbox_.empty())) continue;
    // The hello of a new connection comes before any heartbeat.
    message = outbox_.empty() || (beat && greeted_) ? options_.heartbeat() : *outbox_.Pop();
    greeted_ = true;
    last = closing_ && outbox_.empty();
    if (last) writable_ = false;
    call = call_;
    writing_ = true;
    return true;
  }
  return false;
}

void Link::Written(Call& call, bool ok) {
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  if (ok) return;
  writable_ = false;
  call.context.TryCancel();
}

}  // namespace ltml::session
