#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <vector>

#include "coordinator/rpc/log_position.h"
#include "coordinator/rpc/log_reader.h"
#include "coordinator/rpc/server_stream.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::coordinator {

// JobService.Logs: the log files of an attempt, rank after rank, and with `follow` what is added to
// them, then the next attempts, until the job has ended.  Holds no file open; looks at the files at
// every tick of the pump.
class LogsStream final : public ServerStream<v1::LogChunk> {
 public:
  static grpc::ServerWriteReactor<v1::LogChunk>* Start(CallEnvironment& environment,
                                                       StreamPump& pump,
                                                       grpc::CallbackServerContext& context,
                                                       const v1::LogsRequest& request);

  LogsStream(CallEnvironment& environment, StreamPump& pump, grpc::CallbackServerContext& context,
             const v1::LogsRequest& request);

 private:
  struct Source {
    int32_t rank = 0;
    // Without follow: where it ended when it was first looked at.
    std::optional<int64_t> limit;
    // Of the file, when it held nothing new.
    int64_t seen_size = -1;
    timespec seen_time{};
  };

  StreamStep Next(v1::LogChunk* chunk) override;
  bool polls() const override { return true; }

  absl::Status Refresh();
  absl::Status Begin();
  absl::Status ChooseAttempt();
  absl::Status ChooseRanks();
  void EnterAttempt(int64_t epoch);
  bool EnterNextAttempt();
  // Tells the next piece of any log; false: there is none now.
  absl::StatusOr<bool> Take(v1::LogChunk* chunk);
  absl::StatusOr<bool> TakeFrom(Source& source, v1::LogChunk* chunk);
  absl::StatusOr<bool> Reached(Source& source, const LogReader& reader);
  std::filesystem::path FileOf(const Source& source) const;
  bool Changed(Source& source) const;
  void Fill(const Source& source, LogPiece piece, v1::LogChunk* chunk);
  // Nothing more will be written to the logs of the attempt.
  bool AttemptIsOver() const;

  const v1::LogsRequest request_;
  v1::Job job_;
  std::chrono::steady_clock::time_point refreshed_{};
  bool begun_ = false;
  bool rewriting_ = false;  // without follow: an end could not be found just now
  int retries_ = 0;         // because of that
  LogPosition position_;
  std::vector<Source> sources_;
  size_t turn_ = 0;  // the source to look at first
};

}  // namespace ltml::coordinator
