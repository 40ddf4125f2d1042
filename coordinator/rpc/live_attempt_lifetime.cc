#include <fmt/format.h>

#include <chrono>
#include <map>
#include <utility>

#include "absl/time/time.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/statistics/convert.h"
#include "coordinator/rpc/attempt_record.h"
#include "coordinator/rpc/live_attempt.h"
#include "coordinator/rpc/messages.h"

// What drives a LiveAttempt beside the messages of its ranks: an earlier server's journal, its own,
// the clock, and its owner.
namespace ltml::coordinator {
namespace {

constexpr absl::Duration kEndLimit = absl::Milliseconds(500);
constexpr absl::Duration kCancelLimit = absl::Milliseconds(200);

streams::Time Now() { return std::chrono::steady_clock::now(); }

grpc::Status Ends() { return {grpc::StatusCode::UNAVAILABLE, "the coordinator ends"}; }

}  // namespace

absl::Status LiveAttempt::CheckRank(int rank) const {
  if (rank >= 0 && rank < options_.attempt.world_size) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("the journal speaks of rank {} of {}", rank, options_.attempt.world_size));
}

absl::Status LiveAttempt::Restore() {
  LTML_ASSIGN_OR_RETURN(RecordedAttempt record,
                        ReadRecord(options_.restored, options_.attempt.classes));
  if (!record.started && !record.windows.empty()) {
    return absl::DataLossError("the journal holds windows of an attempt that never started");
  }
  if (record.started && options_.training) {
    LTML_RETURN_IF_ERROR(streams_.Restore(record.start, std::move(record.windows)));
  }
  for (const v1::JournalFinished& entry : record.finished) {
    LTML_RETURN_IF_ERROR(RestoreFinished(entry));
  }
  for (const v1::JournalFailure& entry : record.failures) {
    LTML_RETURN_IF_ERROR(CheckRank(entry.rank()));
    RankState& state = ranks_[entry.rank()];
    state.failed = state.view.connected = true;
    state.view.host = entry.failure().host();
    state.view.last_message = state.view.last_progress = Now();
  }
  if (record.started) TellStatistics();
  return absl::OkStatus();
}

absl::Status LiveAttempt::RestoreFinished(const v1::JournalFinished& entry) {
  LTML_RETURN_IF_ERROR(CheckRank(entry.rank()));
  RankState& state = ranks_[entry.rank()];
  state.view.finished = state.view.connected = true;
  state.view.step = entry.finished().step();
  state.view.last_message = state.view.last_progress = Now();
  const int classes = options_.attempt.classes;
  std::map<int64_t, statistics::WindowSums> unfolded;
  for (const v1::WindowReport& report : entry.unfolded()) {
    LTML_ASSIGN_OR_RETURN(unfolded[report.window()], statistics::FromProto(report.sums(), classes));
  }
  std::optional<streams::LastSums> last;
  if (entry.finished().has_last_window()) {
    const v1::WindowReport& report = entry.finished().last_window();
    last.emplace();
    last->step = entry.finished().step();
    last->window = report.window();
    LTML_ASSIGN_OR_RETURN(last->sums, statistics::FromProto(report.sums(), classes));
  }
  if (unfolded.empty() && !last.has_value()) return absl::OkStatus();
  return streams_.RestoreFinished(entry.rank(), unfolded, last);
}

void LiveAttempt::TellRestored() {
  for (const v1::JournalEntry& entry : options_.restored) {
    if (entry.has_finished() && options_.events.finished) {
      options_.events.finished(entry.finished().rank(), entry.finished().finished());
    }
    if (entry.has_failure() && options_.events.failure) {
      options_.events.failure(entry.failure().rank(), entry.failure().failure());
    }
  }
  calls_.Run();
}

void LiveAttempt::Record(v1::JournalEntry entry) {
  if (options_.journal != nullptr) journal_.Add(std::move(entry));
}

void LiveAttempt::AfterJournal(std::function<void()> act) {
  if (journal_.empty()) {
    calls_.Add(std::move(act));
  } else {
    journal_.Wait(std::move(act));
  }
}

void LiveAttempt::AppendDue() {
  for (JournalQueue::Due& due : journal_.TakeDue()) {
    calls_.Add([this, id = due.id, entry = std::move(due.entry)] { Append(id, entry); });
  }
}

void LiveAttempt::Append(int64_t id, v1::JournalEntry entry) {
  options_.journal->Append(std::move(entry),
                           [weak = weak_from_this(), id](const absl::Status& status) {
                             const auto self = weak.lock();
                             if (self != nullptr) self->OnAppended(id, status);
                           });
}

void LiveAttempt::OnAppended(int64_t id, const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    if (!status.ok()) {
      journal_.Failed(id);
      if (!std::exchange(journal_fails_, true)) {
        base::Log(base::LogLevel::kError, "journal_failed", "job={} reason={}",
                  base::LogValue(options_.job_id), base::LogValue(std::string(status.message())));
      }
      return;
    }
    journal_fails_ = false;
    for (std::function<void()>& act : journal_.Done(id)) calls_.Add(std::move(act));
    AppendDue();
  }
  calls_.Run();
}

void LiveAttempt::RetryJournal() {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || !journal_fails_) return;
    journal_.Retry();
    AppendDue();
  }
  calls_.Run();
}

void LiveAttempt::SendKeepAlives() {
  {
    absl::MutexLock lock(&mutex_);
    for (const RankState& state : ranks_) {
      if (state.stream != nullptr) Send(state.stream, KeepAliveMessage(epoch_));
    }
  }
  calls_.Run();
}

void LiveAttempt::SendCommand(v1::Command::Kind kind) {
  {
    absl::MutexLock lock(&mutex_);
    commands_.Add(kind);
    if (ranks_[0].stream != nullptr) {
      Send(ranks_[0].stream, CommandMessage(epoch_, commands_.Pending().back()));
    }
  }
  calls_.Run();
}

void LiveAttempt::EndStreams() {
  std::set<Stream> streams;
  {
    absl::MutexLock lock(&mutex_);
    streams = open_;
  }
  for (const Stream& stream : streams) stream->End(Ends());
}

void LiveAttempt::Close() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  calls_.Close();
  EndStreams();
  if (AwaitNoStreams(kEndLimit)) return;
  std::set<Stream> stuck;
  {
    absl::MutexLock lock(&mutex_);
    stuck = open_;
  }
  for (const Stream& stream : stuck) stream->Cancel();
  AwaitNoStreams(kCancelLimit);
}

bool LiveAttempt::AwaitNoStreams(absl::Duration limit) {
  absl::MutexLock lock(&mutex_);
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_.empty(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&none), limit);
}

std::vector<streams::RankView> LiveAttempt::Ranks() const {
  absl::MutexLock lock(&mutex_);
  std::vector<streams::RankView> views;
  for (const RankState& state : ranks_) views.push_back(state.view);
  return views;
}

std::optional<v1::Failure> LiveAttempt::ProtocolFailure() const {
  absl::MutexLock lock(&mutex_);
  return protocol_failure_;
}

statistics::DecayedTotals LiveAttempt::LatestTotals() const {
  absl::MutexLock lock(&mutex_);
  return streams_.latest_totals();
}

}  // namespace ltml::coordinator
