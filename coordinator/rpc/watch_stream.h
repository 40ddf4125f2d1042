#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "coordinator/rpc/server_stream.h"
#include "coordinator/service/job_manager.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::coordinator {

// JobService.Watch: the job as it is, every event after a sequence number, and the live job at most
// once a second, until the event that ended the job is sent.  Holds at most kMostEvents; for a
// reader that is slower it lets go of the subscription, and takes a new one after the last event
// sent when the rest is read.
class WatchStream final : public ServerStream<v1::WatchResponse> {
 public:
  static constexpr size_t kMostEvents = 256;

  static grpc::ServerWriteReactor<v1::WatchResponse>* Start(CallEnvironment& environment,
                                                            StreamPump& pump,
                                                            grpc::CallbackServerContext& context,
                                                            const v1::WatchRequest& request);

  WatchStream(CallEnvironment& environment, StreamPump& pump, grpc::CallbackServerContext& context,
              const v1::WatchRequest& request);

 private:
  // What the manager told and the stream has not yet taken.  Thread-safe.
  class Inbox final : public service::JobListener {
   public:
    Inbox(StreamPump& pump, std::weak_ptr<PumpedStream> stream)
        : pump_(pump), stream_(std::move(stream)) {}
    void OnEvent(const v1::JobEvent& event) override;
    void OnJob(const v1::Job& job) override;

    std::optional<v1::JobEvent> TakeEvent();
    std::unique_ptr<v1::Job> TakeJob();
    // All events before the ones left out are taken.
    bool overflown();

   private:
    void Wake();

    StreamPump& pump_;
    const std::weak_ptr<PumpedStream> stream_;
    absl::Mutex mutex_;
    std::deque<v1::JobEvent> events_ ABSL_GUARDED_BY(mutex_);
    std::unique_ptr<v1::Job> job_ ABSL_GUARDED_BY(mutex_);
    bool overflown_ ABSL_GUARDED_BY(mutex_) = false;
  };

  StreamStep Next(v1::WatchResponse* response) override;
  void Release() override { subscription_.reset(); }
  bool polls() const override { return false; }
  absl::Status Subscribe();
  absl::Status CheckAfter();
  bool TakeMessage(v1::WatchResponse* response);

  const std::string name_;
  int64_t sent_;                  // sequence number of the last event sent
  bool begun_ = false;            // the job was sent once
  bool ended_ = false;            // nothing will follow what was sent
  std::shared_ptr<Inbox> inbox_;  // shared with the manager
  std::unique_ptr<service::JobManager::Subscription> subscription_;
};

}  // namespace ltml::coordinator
