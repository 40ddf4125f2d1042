#include "coordinator/rpc/attempt_service.h"

#include <fmt/format.h>

#include <chrono>
#include <string_view>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/statistics/convert.h"
#include "coordinator/rpc/messages.h"

namespace ltml::coordinator {
namespace {

streams::Time Now() { return std::chrono::steady_clock::now(); }

// Takes as long for a wrong token as for the right one.
bool SameToken(std::string_view got, std::string_view expected) {
  unsigned difference = got.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < expected.size(); ++i) {
    const char other = i < got.size() ? got[i] : '\0';
    difference |= static_cast<unsigned char>(expected[i] ^ other);
  }
  return difference == 0;
}

// A broken protocol; other refusals have other codes.
absl::Status Protocol(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::FailedPreconditionError(std::string(status.message()));
}

}  // namespace

AttemptService::AttemptService(const WorkerServerOptions& options)
    : options_(options),
      epoch_(options.attempt.epoch),
      streams_(options.attempt),
      ranks_(options.attempt.world_size) {}

grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* AttemptService::Session(
    grpc::CallbackServerContext*) {
  const Stream stream = SessionStream::Create(*this);
  {
    absl::MutexLock lock(&mutex_);
    open_.insert(stream);
  }
  stream->Begin();
  return stream.get();
}

void AttemptService::OnMessage(const Stream& stream, const v1::WorkerMessage& message) {
  absl::MutexLock order(&event_order_);
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    Handle(stream, message, actions);
  }
  Act(std::move(actions));
}

void AttemptService::OnEnd(const Stream& stream) {
  absl::MutexLock lock(&mutex_);
  open_.erase(stream);
  const int rank = RankOf(stream);
  if (rank < 0) return;
  RankState& state = ranks_[rank];
  state.stream.reset();
  state.view.lost = !state.view.finished && !state.failed;
}

void AttemptService::Handle(const Stream& stream, const v1::WorkerMessage& message,
                            Actions& actions) {
  const int rank = RankOf(stream);
  absl::Status handled;
  if (rank < 0) {
    handled = CheckHello(message);
    if (handled.ok()) handled = HandleHello(stream, message, actions);
  } else {
    handled = HandleOther(rank, message, actions);
  }
  if (handled.ok()) return;
  if (absl::IsFailedPrecondition(handled)) {
    NoteProtocolFailure(rank < 0 ? message.hello().rank() : rank, handled);
  }
  actions.refusals.emplace_back(stream, std::string(handled.message()));
}

absl::Status AttemptService::CheckHello(const v1::WorkerMessage& message) const {
  if (!message.has_hello()) return absl::InvalidArgumentError("the first message is not a hello");
  const v1::Hello& hello = message.hello();
  if (!SameToken(hello.token(), options_.token)) {
    return absl::PermissionDeniedError(
        fmt::format("rank {} on {} has a wrong token", hello.rank(), hello.host()));
  }
  if (message.attempt_epoch() != epoch_) {
    return absl::AbortedError(
        fmt::format("rank {} on {} belongs to attempt epoch {}, the running one is {}",
                    hello.rank(), hello.host(), message.attempt_epoch(), epoch_));
  }
  if (hello.world_size() != options_.attempt.world_size || hello.rank() < 0 ||
      hello.rank() >= options_.attempt.world_size) {
    return absl::InvalidArgumentError(fmt::format("rank {} of {} on {}: this attempt has {} ranks",
                                                  hello.rank(), hello.world_size(), hello.host(),
                                                  options_.attempt.world_size));
  }
  const RankState& state = ranks_[hello.rank()];
  const bool same_process =
      state.process_id == hello.process_id() && state.view.host == hello.host();
  if (state.view.connected && !same_process) {
    return absl::AlreadyExistsError(
        fmt::format("rank {} on {} (process {}) repeats the rank of process {} on {}", hello.rank(),
                    hello.host(), hello.process_id(), state.process_id, state.view.host));
  }
  return absl::OkStatus();
}

absl::Status AttemptService::HandleHello(const Stream& stream, const v1::WorkerMessage& message,
                                         Actions& actions) {
  const v1::Hello& hello = message.hello();
  std::vector<streams::Delivery> deliveries;
  if (options_.training) {
    std::optional<streams::Resume> resume;
    if (hello.has_resume()) {
      auto read = ToResume(hello.resume(), options_.attempt.classes);
      if (!read.ok()) return Protocol(read.status());
      resume = *std::move(read);
    }
    LTML_ASSIGN_OR_RETURN(streams::Outcome outcome, streams_.OnHello(hello.rank(), resume));
    deliveries = std::move(outcome.deliveries);
  }
  RankState& state = ranks_[hello.rank()];
  const bool first = !state.view.connected;
  if (state.stream != nullptr) actions.refusals.emplace_back(state.stream, "");
  state.stream = stream;
  state.process_id = hello.process_id();
  state.view.connected = true;
  state.view.lost = false;
  state.view.host = hello.host();
  state.view.last_message = Now();
  if (first) {
    state.view.last_progress = state.view.last_message;
    actions.rank = hello.rank();
    actions.event = message;
  }
  actions.sends.emplace_back(stream, KeepAliveMessage(epoch_));
  Deliver(deliveries, actions);
  if (hello.rank() != 0) return absl::OkStatus();
  for (v1::Command::Kind kind : waiting_commands_) {
    actions.sends.emplace_back(stream, CommandMessage(epoch_, kind));
  }
  waiting_commands_.clear();
  return absl::OkStatus();
}

absl::Status AttemptService::HandleOther(int rank, const v1::WorkerMessage& message,
                                         Actions& actions) {
  if (message.attempt_epoch() != epoch_) {
    return absl::AbortedError(fmt::format("rank {} sent a message of attempt epoch {} in epoch {}",
                                          rank, message.attempt_epoch(), epoch_));
  }
  RankState& state = ranks_[rank];
  state.view.last_message = Now();
  if (message.has_progress()) Progressed(state, message.progress());
  if (message.has_window_report()) {
    return HandleSums(rank, message.window_report(), std::nullopt, actions);
  }
  if (message.has_hello() || message.kind_case() == v1::WorkerMessage::KIND_NOT_SET) {
    return absl::FailedPreconditionError(
        fmt::format("rank {} sent a second hello or an empty message in its session", rank));
  }
  if (message.has_finished())
    LTML_RETURN_IF_ERROR(HandleFinished(rank, message.finished(), actions));
  if (!IsNews(state, message)) return absl::OkStatus();
  actions.rank = rank;
  actions.event = message;
  return absl::OkStatus();
}

absl::Status AttemptService::HandleSums(int rank, const v1::WindowReport& report,
                                        std::optional<int64_t> finished_step, Actions& actions) {
  if (!options_.training) {
    return absl::FailedPreconditionError(
        fmt::format("rank {} sent sums of window {} in an evaluation", rank, report.window()));
  }
  auto sums = statistics::FromProto(report.sums(), options_.attempt.classes);
  if (!sums.ok()) {
    return Protocol(absl::InvalidArgumentError(fmt::format(
        "rank {}, window {}: {}", rank, report.window(), std::string(sums.status().message()))));
  }
  auto outcome = finished_step.has_value()
                     ? streams_.OnFinished(rank, *finished_step, report.window(), *sums)
                     : streams_.OnReport(rank, report.window(), *sums);
  if (!outcome.ok()) return Protocol(outcome.status());
  Deliver(outcome->deliveries, actions);
  return absl::OkStatus();
}

absl::Status AttemptService::HandleFinished(int rank, const v1::Finished& finished,
                                            Actions& actions) {
  if (!finished.has_last_window() || ranks_[rank].view.finished) return absl::OkStatus();
  return HandleSums(rank, finished.last_window(), finished.step(), actions);
}

void AttemptService::Progressed(RankState& state, const v1::Progress& progress) {
  streams::RankView& view = state.view;
  const bool moved = view.phase != progress.phase() || view.counter != progress.counter() ||
                     view.step != progress.step();
  if (moved) view.last_progress = view.last_message;
  view.phase = progress.phase();
  view.counter = progress.counter();
  view.step = progress.step();
}

// Messages that a rank sends again after a broken session are told once.
bool AttemptService::IsNews(RankState& state, const v1::WorkerMessage& message) {
  const auto first_time = [](bool& flag) { return !std::exchange(flag, true); };
  const auto newer = [](int64_t& last, int64_t step) {
    return step > last ? (last = step, true) : false;
  };
  switch (message.kind_case()) {
    case v1::WorkerMessage::kProgress:
      return !message.progress().has_metrics() ||
             newer(state.last_metrics_step, message.progress().metrics().step());
    case v1::WorkerMessage::kCheckpointDone:
      return newer(state.last_checkpoint_step, message.checkpoint_done().step());
    case v1::WorkerMessage::kEvaluationDone:
      return state.evaluations.insert(message.SerializeAsString()).second;
    case v1::WorkerMessage::kFailure:
      return first_time(state.failed);
    case v1::WorkerMessage::kFinished:
      if (!first_time(state.view.finished)) return false;
      state.view.step = message.finished().step();
      return true;
    default:
      return false;
  }
}

void AttemptService::Deliver(const std::vector<streams::Delivery>& deliveries, Actions& actions) {
  std::optional<v1::CoordinatorMessage> message;
  for (const streams::Delivery& delivery : deliveries) {
    const Stream& stream = ranks_[delivery.rank].stream;
    if (stream == nullptr) continue;
    if (!message.has_value() || message->grant().window() != delivery.grant.window) {
      message = GrantMessage(epoch_, delivery.grant);
    }
    actions.sends.emplace_back(stream, *message);
  }
}

int AttemptService::RankOf(const Stream& stream) const {
  for (size_t rank = 0; rank < ranks_.size(); ++rank) {
    if (ranks_[rank].stream == stream) return static_cast<int>(rank);
  }
  return -1;
}

void AttemptService::NoteProtocolFailure(int rank, const absl::Status& status) {
  if (protocol_failure_.has_value()) return;
  v1::Failure failure;
  failure.set_cause(v1::FAILURE_CAUSE_PROTOCOL);
  failure.set_rank(rank);
  failure.set_host(ranks_[rank].view.host);
  failure.set_phase(ranks_[rank].view.phase);
  failure.set_step(ranks_[rank].view.step);
  failure.set_message(std::string(status.message()));
  protocol_failure_ = std::move(failure);
}

void AttemptService::Act(Actions actions) {
  for (auto& [stream, message] : actions.sends) stream->Send(std::move(message));
  for (const auto& [stream, reason] : actions.refusals) {
    if (!reason.empty()) {
      base::Log(base::LogLevel::kWarning, "rank_refused", "reason={}", base::LogValue(reason));
      stream->Send(RefusalMessage(epoch_, reason));
    }
    stream->End(grpc::Status(grpc::StatusCode::ABORTED, reason));
  }
  if (actions.event.has_value()) Tell(actions.rank, *actions.event);
}

void AttemptService::Tell(int rank, const v1::WorkerMessage& message) {
  const WorkerEvents& events = options_.events;
  const auto tell = [rank](const auto& event, const auto& part) {
    if (event) event(rank, part);
  };
  if (message.has_hello()) tell(events.hello, message.hello());
  if (message.has_progress()) tell(events.progress, message.progress());
  if (message.has_checkpoint_done()) tell(events.checkpoint_done, message.checkpoint_done());
  if (message.has_evaluation_done()) tell(events.evaluation_done, message.evaluation_done());
  if (message.has_failure()) tell(events.failure, message.failure());
  if (message.has_finished()) tell(events.finished, message.finished());
}

void AttemptService::SendKeepAlives() {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    for (const RankState& state : ranks_) {
      if (state.stream != nullptr)
        actions.sends.emplace_back(state.stream, KeepAliveMessage(epoch_));
    }
  }
  Act(std::move(actions));
}

void AttemptService::SendCommand(v1::Command::Kind kind) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    const Stream& stream = ranks_[0].stream;
    if (stream == nullptr) {
      waiting_commands_.push_back(kind);
    } else {
      actions.sends.emplace_back(stream, CommandMessage(epoch_, kind));
    }
  }
  Act(std::move(actions));
}

void AttemptService::EndAll() {
  std::set<Stream> streams;
  {
    absl::MutexLock lock(&mutex_);
    streams = open_;
  }
  for (const Stream& stream : streams) {
    stream->End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the coordinator ends"));
  }
}

void AttemptService::AwaitNoStreams(absl::Duration limit) {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_.empty(); };
  mutex_.AwaitWithTimeout(absl::Condition(&none), limit);
}

std::vector<streams::RankView> AttemptService::Ranks() const {
  absl::MutexLock lock(&mutex_);
  std::vector<streams::RankView> views;
  for (const RankState& state : ranks_) views.push_back(state.view);
  return views;
}

std::optional<v1::Failure> AttemptService::ProtocolFailure() const {
  absl::MutexLock lock(&mutex_);
  return protocol_failure_;
}

statistics::DecayedTotals AttemptService::LatestTotals() const {
  absl::MutexLock lock(&mutex_);
  return streams_.latest_totals();
}

}  // namespace ltml::coordinator
