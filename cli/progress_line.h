#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cli/context.h"
#include "common/base/text.h"

namespace ltml::cli {

using base::TimeText;

// Progress of long work on stderr: one line that is rewritten when stderr is a terminal, plain
// lines every few seconds when it is not, nothing with --quiet.  Thread-safe.  Gone from the
// terminal when destroyed.
class ProgressLine {
 public:
  // `unit` is what is counted, as in "images".
  ProgressLine(const Context& context, std::string what, std::string unit);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // "importing: 120 / 1681 images (7 %), 340 images/s, 5 s left"
  void Update(int64_t done, int64_t total);
  // Any text in place of the line.
  void Show(std::string_view text);
  // A line that stays.
  void Note(std::string_view text);

 private:
  void Draw(std::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string what_;
  const std::string unit_;
  const bool quiet_;
  const bool terminal_;
  const std::chrono::steady_clock::time_point start_;
  absl::Mutex mutex_;
  std::chrono::steady_clock::time_point last_draw_ ABSL_GUARDED_BY(mutex_);
  int64_t first_done_ ABSL_GUARDED_BY(mutex_) = -1;
  bool drawn_ ABSL_GUARDED_BY(mutex_) = false;
};

// The text of Update, for a rate in units a second (0: unknown).
std::string ProgressText(std::string_view what, std::string_view unit, int64_t done, int64_t total,
                         double per_second);

}  // namespace ltml::cli
