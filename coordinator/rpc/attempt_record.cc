#include "coordinator/rpc/attempt_record.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "common/base/status_macros.h"
#include "common/statistics/convert.h"
#include "coordinator/rpc/messages.h"

namespace ltml::coordinator {
namespace {

absl::Status Unreadable(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::DataLossError(
      fmt::format("the journal of the attempt cannot be read: {}", std::string(status.message())));
}

absl::StatusOr<streams::FoldedWindow> ReadWindow(const v1::JournalWindow& proto, int classes) {
  streams::FoldedWindow window;
  window.window = proto.window();
  window.rank_digests.assign(proto.rank_digests().begin(), proto.rank_digests().end());
  LTML_ASSIGN_OR_RETURN(window.totals, statistics::FromProto(proto.totals(), classes));
  return window;
}

absl::Status ReadStart(const v1::JournalStart& proto, int classes, RecordedAttempt& record) {
  record.started = true;
  if (!proto.has_resume()) return absl::OkStatus();
  LTML_ASSIGN_OR_RETURN(record.start, ToResume(proto.resume(), classes));
  return absl::OkStatus();
}

}  // namespace

v1::JournalEntry WindowEntry(const streams::FoldedWindow& window) {
  v1::JournalEntry entry;
  v1::JournalWindow& proto = *entry.mutable_window();
  proto.set_window(window.window);
  proto.mutable_rank_digests()->Assign(window.rank_digests.begin(), window.rank_digests.end());
  *proto.mutable_totals() = statistics::ToProto(window.totals);
  return entry;
}

absl::StatusOr<RecordedAttempt> ReadRecord(const std::vector<v1::JournalEntry>& entries,
                                           int classes) {
  RecordedAttempt record;
  std::map<int64_t, streams::FoldedWindow> windows;
  std::map<int, v1::JournalFinished> finished;
  std::map<int, v1::JournalFailure> failures;
  for (const v1::JournalEntry& entry : entries) {
    if (entry.has_start()) {
      LTML_RETURN_IF_ERROR(Unreadable(ReadStart(entry.start(), classes, record)));
    }
    if (entry.has_window()) {
      auto window = ReadWindow(entry.window(), classes);
      if (!window.ok()) return Unreadable(window.status());
      const int64_t number = window->window;
      windows.insert_or_assign(number, *std::move(window));
    }
    if (entry.has_finished()) finished[entry.finished().rank()] = entry.finished();
    if (entry.has_failure()) failures[entry.failure().rank()] = entry.failure();
  }
  for (auto& [number, window] : windows) record.windows.push_back(std::move(window));
  for (auto& [rank, entry] : finished) record.finished.push_back(std::move(entry));
  for (auto& [rank, entry] : failures) record.failures.push_back(std::move(entry));
  return record;
}

}  // namespace ltml::coordinator
