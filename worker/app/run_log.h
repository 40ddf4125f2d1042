#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ltml/v1/report.pb.h"

namespace ltml::worker {

// metrics.jsonl of a run: a StepMetrics message a line.  One writer; not thread-safe.
class RunLog {
 public:
  // Opens `file` for appending after removing the lines of steps beyond `completed_steps`, which a
  // resumed run will write again, and a last line that was cut off.
  static absl::StatusOr<RunLog> Open(const std::filesystem::path& file, int64_t completed_steps);

  absl::Status Append(const v1::StepMetrics& metrics);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace ltml::worker
