#pragma once

#include <atomic>

namespace ltml::cli {

// While it lives, SIGINT, SIGTERM and SIGHUP are counted instead of ending the program (signals
// that were ignored stay so).  The first one tells the user on stderr what happens.  SIGPIPE is
// ignored: whoever read the output may have ended by the same Ctrl-C.  One at a time.
class InterruptCounter {
 public:
  explicit InterruptCounter(const char* first_message);
  ~InterruptCounter();
  InterruptCounter(const InterruptCounter&) = delete;
  InterruptCounter& operator=(const InterruptCounter&) = delete;

  const std::atomic<int>* count() const;
};

}  // namespace ltml::cli
