#include "worker/app/run_log.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::worker {
namespace {

// The lines that a run resumed after `completed_steps` keeps.
std::string KeptLines(std::string_view content, int64_t completed_steps) {
  std::string kept;
  while (true) {
    const size_t end = content.find('\n');
    if (end == std::string_view::npos) return kept;
    const std::string_view line = content.substr(0, end + 1);
    content.remove_prefix(end + 1);
    v1::StepMetrics metrics;
    if (!base::FromJson(line, "metrics.jsonl", &metrics).ok()) continue;
    if (metrics.step() <= completed_steps) kept += line;
  }
}

}  // namespace

absl::StatusOr<RunLog> RunLog::Open(const std::filesystem::path& file, int64_t completed_steps) {
  const absl::StatusOr<std::string> old = base::ReadFile(file);
  if (!old.ok() && !absl::IsNotFound(old.status())) return old.status();
  LTML_RETURN_IF_ERROR(
      base::WriteFileAtomically(file, old.ok() ? KeptLines(*old, completed_steps) : ""));
  RunLog log;
  log.path_ = file;
  log.file_.reset(std::fopen(file.c_str(), "ae"));
  if (log.file_ == nullptr) {
    return absl::InternalError(
        fmt::format("cannot open '{}': {}", file.string(), std::generic_category().message(errno)));
  }
  return log;
}

absl::Status RunLog::Append(const v1::StepMetrics& metrics) {
  LTML_ASSIGN_OR_RETURN(const std::string json, base::ToJson(metrics, true));
  const bool written = std::fputs((json + "\n").c_str(), file_.get()) >= 0;
  if (written && std::fflush(file_.get()) == 0) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot write '{}': {}", path_.string(), std::generic_category().message(errno)));
}

}  // namespace ltml::worker
