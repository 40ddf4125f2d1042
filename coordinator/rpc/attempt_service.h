#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/session_stream.h"
#include "coordinator/rpc/worker_server.h"
#include "coordinator/streams/attempt.h"
#include "ltml/v1/worker_service.grpc.pb.h"

namespace ltml::coordinator {

// What the messages of an attempt's ranks mean: checks who speaks, keeps the ranks' views, asks
// AttemptStreams, and hands events on.  Thread-safe; sends and events happen outside its lock.
class AttemptService : public v1::WorkerService::CallbackService, public SessionListener {
 public:
  explicit AttemptService(const WorkerServerOptions& options);

  using v1::WorkerService::CallbackService::Session;
  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Session(
      grpc::CallbackServerContext* context) override;
  void OnMessage(const std::shared_ptr<SessionStream>& stream,
                 const v1::WorkerMessage& message) override;
  void OnEnd(const std::shared_ptr<SessionStream>& stream) override;

  void SendKeepAlives();
  void SendCommand(v1::Command::Kind kind);
  // Refuses nobody, but ends all streams.
  void EndAll();
  // Waits until all streams have ended.
  void AwaitNoStreams(absl::Duration limit);

  std::vector<streams::RankView> Ranks() const;
  std::optional<v1::Failure> ProtocolFailure() const;
  statistics::DecayedTotals LatestTotals() const;

 private:
  using Stream = std::shared_ptr<SessionStream>;
  struct RankState {
    streams::RankView view;
    Stream stream;  // the open session
    int64_t process_id = 0;
    bool failed = false;
    int64_t last_metrics_step = -1, last_checkpoint_step = -1;
    std::set<std::string> evaluations;  // as bytes
  };
  // What to do after the lock is released.
  struct Actions {
    std::vector<std::pair<Stream, v1::CoordinatorMessage>> sends;
    std::vector<std::pair<Stream, std::string>> refusals;
    std::optional<v1::WorkerMessage> event;
    int rank = -1;
  };

  void Handle(const Stream& stream, const v1::WorkerMessage& message, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Errors are reasons to refuse the stream.
  absl::Status CheckHello(const v1::WorkerMessage& message) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleHello(const Stream& stream, const v1::WorkerMessage& message, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleOther(int rank, const v1::WorkerMessage& message, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleSums(int rank, const v1::WindowReport& report,
                          std::optional<int64_t> finished_step, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status HandleFinished(int rank, const v1::Finished& finished, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static bool IsNews(RankState& state, const v1::WorkerMessage& message);
  static void Progressed(RankState& state, const v1::Progress& progress);
  void Deliver(const std::vector<streams::Delivery>& deliveries, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int RankOf(const Stream& stream) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteProtocolFailure(int rank, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Act(Actions actions);
  void Tell(int rank, const v1::WorkerMessage& message);

  const WorkerServerOptions options_;
  const int64_t epoch_;

  mutable absl::Mutex mutex_;
  streams::AttemptStreams streams_ ABSL_GUARDED_BY(mutex_);
  std::vector<RankState> ranks_ ABSL_GUARDED_BY(mutex_);
  std::set<Stream> open_ ABSL_GUARDED_BY(mutex_);  // all streams, also those before their hello
  std::vector<v1::Command::Kind> waiting_commands_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Failure> protocol_failure_ ABSL_GUARDED_BY(mutex_);

  // Events in the order in which messages were handled; told one at a time.
  absl::Mutex event_order_ ABSL_ACQUIRED_BEFORE(mutex_);
};

}  // namespace ltml::coordinator
