#include "coordinator/rpc/live_attempt.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <utility>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "common/statistics/convert.h"
#include "coordinator/rpc/attempt_record.h"
#include "coordinator/rpc/messages.h"

namespace ltml::coordinator {
namespace {

streams::Time Now() { return std::chrono::steady_clock::now(); }

grpc::Status Ends() { return {grpc::StatusCode::UNAVAILABLE, "the attempt is over"}; }

// A broken protocol; other refusals have other codes.
absl::Status Protocol(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::FailedPreconditionError(std::string(status.message()));
}

}  // namespace

LiveAttempt::LiveAttempt(AttemptSessionsOptions options)
    : options_(std::move(options)),
      epoch_(options_.attempt.epoch),
      streams_(options_.attempt),
      ranks_(options_.attempt.world_size) {}

absl::StatusOr<std::shared_ptr<LiveAttempt>> LiveAttempt::Create(AttemptSessionsOptions options) {
  if (options.attempt.world_size < 1 || options.attempt.window < 1 ||
      options.token_sha256.size() != base::kTokenDigestBytes) {
    return absl::InvalidArgumentError(
        fmt::format("job {}: an attempt has at least one rank, windows of at least one step, and a "
                    "token's digest of {} bytes",
                    options.job_id, base::kTokenDigestBytes));
  }
  std::shared_ptr<LiveAttempt> attempt(new LiveAttempt(std::move(options)));
  {
    absl::MutexLock lock(&attempt->mutex_);
    if (absl::Status restored = attempt->Restore(); !restored.ok()) {
      return absl::DataLossError(fmt::format("job {}, epoch {}: {}", attempt->options_.job_id,
                                             attempt->epoch_, std::string(restored.message())));
    }
  }
  attempt->TellRestored();
  return attempt;
}

void LiveAttempt::OnMessage(const Stream& stream, const v1::WorkerMessage& message) {
  bool closed = false;
  {
    absl::MutexLock lock(&mutex_);
    closed = closed_;
    if (!closed) {
      Handle(stream, message);
      AppendDue();
    }
  }
  if (closed) return stream->End(Ends());
  calls_.Run();
}

void LiveAttempt::OnHalfClose(const Stream& stream) {
  {
    absl::MutexLock lock(&mutex_);
    const int rank = RankOf(stream);
    const auto end = [stream] { stream->End(grpc::Status::OK); };
    if (rank >= 0 && (ranks_[rank].view.finished || ranks_[rank].failed)) {
      AfterJournal(end);
    } else {
      calls_.Add(end);
    }
  }
  calls_.Run();
}

void LiveAttempt::OnEnd(const Stream& stream) {
  absl::MutexLock lock(&mutex_);
  open_.erase(stream);
  const int rank = RankOf(stream);
  if (rank < 0) return;
  RankState& state = ranks_[rank];
  state.stream.reset();
  state.view.lost = !state.view.finished && !state.failed;
}

void LiveAttempt::Handle(const Stream& stream, const v1::WorkerMessage& message) {
  const bool first = open_.insert(stream).second;
  const int rank = RankOf(stream);
  // Refused, or the same process has another stream by now: what is still read says nothing.
  if (!first && rank < 0) return;
  absl::Status handled;
  if (first) {
    handled = CheckHello(message);
    if (handled.ok()) handled = HandleHello(stream, message);
  } else {
    handled = HandleOther(rank, message);
  }
  if (handled.ok()) return;
  if (absl::IsFailedPrecondition(handled)) {
    NoteProtocolFailure(first ? message.hello().rank() : rank, handled);
  }
  Refuse(stream, std::string(handled.message()));
}

absl::Status LiveAttempt::CheckHello(const v1::WorkerMessage& message) const {
  if (!message.has_hello()) return absl::InvalidArgumentError("the first message is not a hello");
  const v1::Hello& hello = message.hello();
  if (!base::SameDigest(base::TokenDigest(hello.token()), options_.token_sha256)) {
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
  if (state.greeted && !same_process) {
    return absl::AlreadyExistsError(
        fmt::format("rank {} on {} (process {}) repeats the rank of process {} on {}", hello.rank(),
                    hello.host(), hello.process_id(), state.process_id, state.view.host));
  }
  return absl::OkStatus();
}

absl::Status LiveAttempt::HandleHello(const Stream& stream, const v1::WorkerMessage& message) {
  const v1::Hello& hello = message.hello();
  if (hello.rank() == 0) LTML_RETURN_IF_ERROR(commands_.OnHello(hello.last_command_id()));
  if (!options_.training) {
    Admit(stream, message);
    return absl::OkStatus();
  }
  std::optional<streams::Resume> resume;
  if (hello.has_resume()) {
    auto read = ToResume(hello.resume(), options_.attempt.classes);
    if (!read.ok()) return Protocol(read.status());
    resume = *std::move(read);
  }
  LTML_ASSIGN_OR_RETURN(const streams::Outcome outcome, streams_.OnHello(hello.rank(), resume));
  Admit(stream, message);
  if (outcome.starts) {
    v1::JournalEntry entry;
    entry.mutable_start();
    if (hello.has_resume()) *entry.mutable_start()->mutable_resume() = hello.resume();
    Record(std::move(entry));
    TellStatistics();
  }
  Deliver(outcome);
  return absl::OkStatus();
}

void LiveAttempt::Admit(const Stream& stream, const v1::WorkerMessage& message) {
  const v1::Hello& hello = message.hello();
  RankState& state = ranks_[hello.rank()];
  if (state.stream != nullptr) {
    calls_.Add([old = state.stream] {
      old->End(grpc::Status(grpc::StatusCode::ABORTED, "the rank has another session"));
    });
  }
  const bool first = !std::exchange(state.greeted, true);
  state.stream = stream;
  state.process_id = hello.process_id();
  state.view.connected = true;
  state.view.lost = false;
  state.view.host = hello.host();
  state.view.last_message = Now();
  Send(stream, KeepAliveMessage(epoch_));
  if (hello.rank() == 0) SendCommands();
  if (!first) return;
  state.view.last_progress = state.view.last_message;
  calls_.Add([this, message] { Tell(message.hello().rank(), message); });
}

absl::Status LiveAttempt::HandleOther(int rank, const v1::WorkerMessage& message) {
  if (message.attempt_epoch() != epoch_) {
    return absl::AbortedError(fmt::format("rank {} sent a message of attempt epoch {} in epoch {}",
                                          rank, message.attempt_epoch(), epoch_));
  }
  RankState& state = ranks_[rank];
  state.view.last_message = Now();
  if (message.has_hello() || message.kind_case() == v1::WorkerMessage::KIND_NOT_SET) {
    return absl::FailedPreconditionError(
        fmt::format("rank {} sent a second hello or an empty message in its session", rank));
  }
  if (message.has_window_report()) return HandleSums(rank, message.window_report(), std::nullopt);
  if (message.has_checkpoint_ready()) {
    return HandleCheckpoint(rank, message.checkpoint_ready().step());
  }
  if (message.has_progress()) LTML_RETURN_IF_ERROR(HandleProgress(rank, message.progress()));
  if (message.has_finished()) LTML_RETURN_IF_ERROR(HandleFinished(rank, message.finished()));
  if (!IsNews(state, message)) return absl::OkStatus();
  RecordEnd(rank, message);
  calls_.Add([this, rank, message] { Tell(rank, message); });
  return absl::OkStatus();
}

absl::Status LiveAttempt::HandleCheckpoint(int rank, int64_t step) {
  if (rank != 0 || !options_.training || step < 0 || step > options_.attempt.steps) {
    return absl::FailedPreconditionError(fmt::format(
        "rank {} has a checkpoint of step {} ready, expected rank 0 of a training of {} steps",
        rank, step, options_.attempt.steps));
  }
  Send(ranks_[0].stream, CheckpointConfirmedMessage(epoch_, step));
  return absl::OkStatus();
}

void LiveAttempt::RecordEnd(int rank, const v1::WorkerMessage& message) {
  v1::JournalEntry entry;
  if (message.has_failure()) {
    entry.mutable_failure()->set_rank(rank);
    *entry.mutable_failure()->mutable_failure() = message.failure();
    Record(std::move(entry));
  } else if (message.has_finished()) {
    entry.mutable_finished()->set_rank(rank);
    *entry.mutable_finished()->mutable_finished() = message.finished();
    for (const auto& [window, sums] : streams_.Unfolded(rank)) {
      v1::WindowReport& report = *entry.mutable_finished()->add_unfolded();
      report.set_window(window);
      *report.mutable_sums() = statistics::ToProto(sums);
    }
    Record(std::move(entry));
  }
}

absl::Status LiveAttempt::HandleSums(int rank, const v1::WindowReport& report,
                                     std::optional<int64_t> finished_step) {
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
  for (const streams::FoldedWindow& folded : outcome->folded) Record(WindowEntry(folded));
  if (!outcome->folded.empty() || finished_step.has_value()) TellStatistics();
  Deliver(*outcome);
  return absl::OkStatus();
}

absl::Status LiveAttempt::HandleFinished(int rank, const v1::Finished& finished) {
  if (!finished.has_last_window() || ranks_[rank].view.finished) return absl::OkStatus();
  return HandleSums(rank, finished.last_window(), finished.step());
}

absl::Status LiveAttempt::HandleProgress(int rank, const v1::Progress& progress) {
  streams::RankView& view = ranks_[rank].view;
  const bool moved = view.phase != progress.phase() || view.counter != progress.counter() ||
                     view.step != progress.step();
  if (moved) view.last_progress = view.last_message;
  view.phase = progress.phase();
  view.counter = progress.counter();
  view.step = progress.step();
  return rank == 0 ? commands_.Acknowledge(progress.last_command_id()) : absl::OkStatus();
}

// Messages that a rank sends again after a broken session are told once.
bool LiveAttempt::IsNews(RankState& state, const v1::WorkerMessage& message) {
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

void LiveAttempt::Deliver(const streams::Outcome& outcome) {
  std::shared_ptr<const v1::CoordinatorMessage> message;  // shared by the ranks it goes to
  for (const streams::Delivery& delivery : outcome.deliveries) {
    const Stream& stream = ranks_[delivery.rank].stream;
    if (stream == nullptr) continue;
    if (message == nullptr || message->grant().window() != delivery.grant.window) {
      message =
          std::make_shared<const v1::CoordinatorMessage>(GrantMessage(epoch_, delivery.grant));
    }
    AfterJournal([stream, message] { stream->Send(*message); });
  }
}

void LiveAttempt::Send(const Stream& stream, v1::CoordinatorMessage message) {
  calls_.Add([stream, message = std::move(message)] { stream->Send(message); });
}

void LiveAttempt::SendCommands() {
  for (const v1::Command& command : commands_.Pending()) {
    Send(ranks_[0].stream, CommandMessage(epoch_, command));
  }
}

void LiveAttempt::Refuse(const Stream& stream, const std::string& reason) {
  calls_.Add([this, stream, reason] {
    base::Log(base::LogLevel::kWarning, "rank_refused", "job={} reason={}",
              base::LogValue(options_.job_id), base::LogValue(reason));
    stream->Send(RefusalMessage(epoch_, reason));
    stream->End(grpc::Status(grpc::StatusCode::ABORTED, reason));
  });
}

int LiveAttempt::RankOf(const Stream& stream) const {
  for (size_t rank = 0; rank < ranks_.size(); ++rank) {
    if (ranks_[rank].stream == stream) return static_cast<int>(rank);
  }
  return -1;
}

void LiveAttempt::NoteProtocolFailure(int rank, const absl::Status& status) {
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

void LiveAttempt::TellStatistics() {
  if (!options_.events.statistics) return;
  auto message = std::make_shared<const v1::ClassStatistics>(StatisticsMessage(streams_));
  calls_.Add([this, message = std::move(message)] { options_.events.statistics(message); });
}

void LiveAttempt::Tell(int rank, const v1::WorkerMessage& message) const {
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

}  // namespace ltml::coordinator
