#include "cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace ltml::cli {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

// A signal handler reaches nothing but globals.
std::atomic<int> g_count{0};
const char* g_message = "";
std::array<struct sigaction, kSignals.size()> g_before;
struct sigaction g_pipe_before;

void Count(int) {
  const int error = errno;
  if (g_count.fetch_add(1) == 0) {
    [[maybe_unused]] const ssize_t written =
        ::write(STDERR_FILENO, g_message, std::strlen(g_message));
  }
  errno = error;
}

}  // namespace

InterruptCounter::InterruptCounter(const char* first_message) {
  g_count = 0;
  g_message = first_message;
  struct sigaction action {};
  action.sa_handler = Count;
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], nullptr, &g_before[i]);
    if (g_before[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
  // The Ctrl-C that is counted here ends a `tee` behind the program.
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &g_pipe_before);
}

InterruptCounter::~InterruptCounter() {
  for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &g_before[i], nullptr);
  ::sigaction(SIGPIPE, &g_pipe_before, nullptr);
}

const std::atomic<int>* InterruptCounter::count() const { return &g_count; }

}  // namespace ltml::cli
