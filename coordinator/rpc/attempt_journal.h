#pragma once

#include <functional>

#include "absl/status/status.h"
#include "ltml/v1/store.pb.h"

namespace ltml::coordinator {

// Where an attempt's sessions remember what ranks must not be told before it is durable.
class AttemptJournal {
 public:
  virtual ~AttemptJournal() = default;
  // `done` comes once, on any thread, also at once; in the order of the calls.
  virtual void Append(v1::JournalEntry entry, std::function<void(const absl::Status&)> done) = 0;
};

}  // namespace ltml::coordinator
