#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/rpc/live_attempt.h"
#include "coordinator/rpc/session_stream.h"
#include "ltml/v1/worker_service.grpc.pb.h"

namespace ltml::coordinator {

// The gRPC service: reads the first message of every stream, and hands the stream to the attempt of
// the job that it names.  Thread-safe.
class Door final : public v1::WorkerService::CallbackService, public SessionListener {
 public:
  // Null when there is none of this job.
  using Find = std::function<std::shared_ptr<LiveAttempt>(const std::string& job_id)>;
  explicit Door(Find find) : find_(std::move(find)) {}
  // Waits for gRPC's last word about its streams; their server has been shut down.
  ~Door() override;

  using v1::WorkerService::CallbackService::Session;
  grpc::ServerBidiReactor<v1::WorkerMessage, v1::CoordinatorMessage>* Session(
      grpc::CallbackServerContext* context) override;
  void OnMessage(const std::shared_ptr<SessionStream>& stream,
                 const v1::WorkerMessage& message) override;
  void OnHalfClose(const std::shared_ptr<SessionStream>& stream) override;
  void OnEnd(const std::shared_ptr<SessionStream>& stream) override;

  // Unknown jobs are refused from now on; before, they are asked to come again.
  void Open();
  // Ends the streams that said no hello in time.
  void EndSilent();
  // Ends the streams that said no hello yet, and all that come from now on.
  void EndAll();

 private:
  using Clock = std::chrono::steady_clock;
  using Stream = std::shared_ptr<SessionStream>;
  static void Refuse(const Stream& stream, const v1::WorkerMessage& message,
                     const std::string& reason);

  const Find find_;
  absl::Mutex mutex_;
  bool opened_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Stream, Clock::time_point> strangers_ ABSL_GUARDED_BY(mutex_);  // with their deadlines
};

}  // namespace ltml::coordinator
