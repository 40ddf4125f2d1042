#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/command_queue.h"
#include "coordinator/rpc/journal_queue.h"
#include "coordinator/rpc/ordered_calls.h"
#include "coordinator/rpc/session_stream.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/streams/attempt.h"

namespace ltml::coordinator {

// What the messages of an attempt's ranks mean: checks who speaks, keeps the ranks' views, asks
// AttemptStreams, records, and hands events on.  Thread-safe; sends, events and the journal are
// called outside its lock, in the order in which messages were handled.  Shared by its streams and
// by calls of the journal that are under way, which may all outlive its owner.
class LiveAttempt final : public SessionListener, public std::enable_shared_from_this<LiveAttempt> {
 public:
  // InvalidArgument for options without sense, DataLoss for such a journal.  Tells the failures and
  // finishes that were recorded.
  static absl::StatusOr<std::shared_ptr<LiveAttempt>> Create(AttemptSessionsOptions options);

  void OnMessage(const std::shared_ptr<SessionStream>& stream,
                 const v1::WorkerMessage& message) override;
  void OnHalfClose(const std::shared_ptr<SessionStream>& stream) override;
  void OnEnd(const std::shared_ptr<SessionStream>& stream) override;

  const std::string& job_id() const { return options_.job_id; }
  std::chrono::nanoseconds lease() const { return options_.lease; }
  void SendKeepAlives();
  // Appends again what the journal did not take.
  void RetryJournal();
  void SendCommand(v1::Command::Kind kind);
  // Ends all streams, refusing nobody; ranks may come again.
  void EndStreams();
  // The same for good: nothing is told, recorded or answered afterwards.  Within a second.
  void Close();

  std::vector<streams::RankView> Ranks() const;
  std::optional<v1::Failure> ProtocolFailure() const;
  statistics::DecayedTotals LatestTotals() const;

 private:
  using Stream = std::shared_ptr<SessionStream>;
  struct RankState {
    streams::RankView view;
    Stream stream;         // the open session
    bool greeted = false;  // said hello to this server
    int64_t process_id = 0;
    bool failed = false;
    int64_t last_metrics_step = -1, last_checkpoint_step = -1;
    std::set<std::string> evaluations;  // as bytes
  };

  explicit LiveAttempt(AttemptSessionsOptions options);
  absl::Status Restore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RestoreFinished(const v1::JournalFinished& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRank(int rank) const;
  void TellRestored();

  void Handle(const Stream& stream, const v1::WorkerMessage& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Errors are reasons to refuse the stream.
  absl::Status CheckHello(const v1::WorkerMessage& message) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleHello(const Stream& stream, const v1::WorkerMessage& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Admit(const Stream& stream, const v1::WorkerMessage& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleOther(int rank, const v1::WorkerMessage& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleSums(int rank, const v1::WindowReport& report,
                          std::optional<int64_t> finished_step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFinished(int rank, const v1::Finished& finished)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleCheckpoint(int rank, int64_t step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleProgress(int rank, const v1::Progress& progress)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static bool IsNews(RankState& state, const v1::WorkerMessage& message);
  void RecordEnd(int rank, const v1::WorkerMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void Record(v1::JournalEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `act` when all that was recorded so far is durable.
  void AfterJournal(std::function<void()> act) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AppendDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Append(int64_t id, v1::JournalEntry entry);
  void OnAppended(int64_t id, const absl::Status& status);

  void Deliver(const streams::Outcome& outcome) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Send(const Stream& stream, v1::CoordinatorMessage message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendCommands() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refuse(const Stream& stream, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int RankOf(const Stream& stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteProtocolFailure(int rank, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(int rank, const v1::WorkerMessage& message) const;
  void TellStatistics() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AwaitNoStreams(absl::Duration limit);

  const AttemptSessionsOptions options_;
  const int64_t epoch_;

  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  streams::AttemptStreams streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<RankState> ranks_ ABSL_GUARDED_BY(mutex_);
  std::set<Stream> open_ ABSL_GUARDED_BY(mutex_);  // all streams, also refused ones
  CommandQueue commands_ ABSL_GUARDED_BY(mutex_);
  JournalQueue journal_ ABSL_GUARDED_BY(mutex_);
  bool journal_fails_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<v1::Failure> protocol_failure_ ABSL_GUARDED_BY(mutex_);

  OrderedCalls calls_;
};

}  // namespace ltml::coordinator
