#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensorboard/event.pb.h"

namespace ltml::tensorboard {

// RUN/events.out.tfevents.<attempt>.ltml.  TensorBoard takes the files of a folder in the order of
// their names: that of attempts, whatever the clocks of their hosts say.
std::filesystem::path EventFileOf(const std::filesystem::path& run_folder, int64_t attempt_epoch);

// The event file of one attempt.  Each event is handed to the operating system at once, so that
// TensorBoard sees it.  One writer; not thread-safe.
class EventFile {
 public:
  using Time = std::chrono::system_clock::time_point;

  // Makes `file` anew.  Its first events say that what earlier files of the folder hold of steps
  // after `completed_steps` is void: those steps will be trained again.  Internal names the file
  // and the operating system's reason.
  static absl::StatusOr<EventFile> Create(const std::filesystem::path& file,
                                          int64_t completed_steps, Time now);

  // Steps in order.  Internal names the file and the reason; the file may then end in a torn event,
  // which TensorBoard passes over, and nothing must be written after it.
  absl::Status Append(const Summary& summary, int64_t step, Time now);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  absl::Status Write(const Event& event);

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace ltml::tensorboard
