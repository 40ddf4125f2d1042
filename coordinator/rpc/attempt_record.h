#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/streams/attempt.h"
#include "ltml/v1/store.pb.h"

namespace ltml::coordinator {

// Between a journal's entries and the types of coordinator/streams.

v1::JournalEntry WindowEntry(const streams::FoldedWindow& window);

struct RecordedAttempt {
  bool started = false;
  std::optional<streams::Resume> start;
  std::vector<streams::FoldedWindow> windows;  // in order, each once
  std::vector<v1::JournalFinished> finished;   // in order of ranks, each once
  std::vector<v1::JournalFailure> failures;
};
// DataLoss says what cannot be read.
absl::StatusOr<RecordedAttempt> ReadRecord(const std::vector<v1::JournalEntry>& entries,
                                           int classes);

}  // namespace ltml::coordinator
