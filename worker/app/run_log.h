#pragma once

#include <google/protobuf/message.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/report.pb.h"

namespace ltml::worker {

// A file of a run with a message a line, in order of steps.  One writer; not thread-safe.
class RunLog {
 public:
  // Opens `file` for appending after removing the lines of steps beyond `completed_steps`, which a
  // resumed run will write again, and a last line that was cut off.  Line: v1::StepMetrics or
  // v1::ValidationLine.
  template <typename Line>
  static absl::StatusOr<RunLog> Open(const std::filesystem::path& file, int64_t completed_steps);

  absl::Status Append(const google::protobuf::Message& line);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace ltml::worker
