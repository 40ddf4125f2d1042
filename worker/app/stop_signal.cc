#include "worker/app/stop_signal.h"

#include <atomic>
#include <csignal>

namespace ltml::worker {
namespace {

std::atomic<bool> signalled = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler writes it");

}  // namespace

void CatchStopSignal() {
  struct sigaction action {};
  action.sa_handler = [](int) { signalled.store(true, std::memory_order_relaxed); };
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR1, &action, nullptr);
}

bool StopSignalled() { return signalled.load(std::memory_order_relaxed); }

}  // namespace ltml::worker
