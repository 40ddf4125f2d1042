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
template <typename Line>
std::string KeptLines(std::string_view content, int64_t completed_steps) {
  std::string kept;
  while (true) {
    const size_t end = content.find('\n');
    if (end == std::string_view::npos) return kept;
    const std::string_view line = content.substr(0, end + 1);
    content.remove_prefix(end + 1);
    Line message;
    if (!base::FromJson(line, "a line of the run", &message).ok()) continue;
    if (message.step() <= completed_steps) kept += line;
  }
}

}  // namespace

template <typename Line>
absl::StatusOr<RunLog> RunLog::Open(const std::filesystem::path& file, int64_t completed_steps) {
  const absl::StatusOr<std::string> old = base::ReadFile(file);
  if (!old.ok() && !absl::IsNotFound(old.status())) return old.status();
  LTML_RETURN_IF_ERROR(
      base::WriteFileAtomically(file, old.ok() ? KeptLines<Line>(*old, completed_steps) : ""));
  RunLog log;
  log.path_ = file;
  log.file_.reset(std::fopen(file.c_str(), "ae"));
  if (log.file_ == nullptr) {
    return absl::InternalError(
        fmt::format("cannot open '{}': {}", file.string(), std::generic_category().message(errno)));
  }
  return log;
}

template absl::StatusOr<RunLog> RunLog::Open<v1::StepMetrics>(const std::filesystem::path&,
                                                              int64_t);
template absl::StatusOr<RunLog> RunLog::Open<v1::ValidationLine>(const std::filesystem::path&,
                                                                 int64_t);

absl::Status RunLog::Append(const google::protobuf::Message& line) {
  LTML_ASSIGN_OR_RETURN(const std::string json, base::ToJson(line, true));
  const bool written = std::fputs((json + "\n").c_str(), file_.get()) >= 0;
  if (written && std::fflush(file_.get()) == 0) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot write '{}': {}", path_.string(), std::generic_category().message(errno)));
}

}  // namespace ltml::worker
