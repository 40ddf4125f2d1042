#include "common/tensorboard/event_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "common/base/status_macros.h"
#include "common/tensorboard/record.h"

namespace ltml::tensorboard {
namespace {

Event At(EventFile::Time now, int64_t step) {
  Event event;
  event.set_wall_time(std::chrono::duration<double>(now.time_since_epoch()).count());
  event.set_step(step);
  return event;
}

absl::Status Failed(std::string_view what, const std::filesystem::path& path) {
  return absl::InternalError(fmt::format("cannot {} '{}': {}", what, path.string(),
                                         std::generic_category().message(errno)));
}

}  // namespace

std::filesystem::path EventFileOf(const std::filesystem::path& run_folder, int64_t attempt_epoch) {
  return run_folder / fmt::format("events.out.tfevents.{:010}.ltml", attempt_epoch);
}

absl::StatusOr<EventFile> EventFile::Create(const std::filesystem::path& file,
                                            int64_t completed_steps, Time now) {
  EventFile events;
  events.path_ = file;
  events.file_.reset(std::fopen(file.c_str(), "we"));
  if (events.file_ == nullptr) return Failed("open", file);
  Event version = At(now, 0), start = At(now, completed_steps + 1);
  version.set_file_version("brain.Event:2");
  start.mutable_session_log()->set_status(SessionLog::START);
  LTML_RETURN_IF_ERROR(events.Write(version));
  LTML_RETURN_IF_ERROR(events.Write(start));
  return events;
}

absl::Status EventFile::Append(const Summary& summary, int64_t step, Time now) {
  Event event = At(now, step);
  *event.mutable_summary() = summary;
  return Write(event);
}

absl::Status EventFile::Write(const Event& event) {
  const std::string record = Record(event.SerializeAsString());
  const bool written = std::fwrite(record.data(), 1, record.size(), file_.get()) == record.size();
  if (written && std::fflush(file_.get()) == 0) return absl::OkStatus();
  return Failed("write", path_);
}

}  // namespace ltml::tensorboard
