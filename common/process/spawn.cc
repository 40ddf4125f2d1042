#include "common/process/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "common/base/system.h"

namespace ltml::process {
namespace {

class SpawnPlan {
 public:
  explicit SpawnPlan(const SpawnOptions& options) {
    ::posix_spawn_file_actions_init(&actions_);
    if (options.control >= 0) Place(options.control, kControlDescriptor);
    if (options.output >= 0) Place(options.output, STDOUT_FILENO);
    if (options.errors >= 0) Place(options.errors, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(
        &actions_, options.control >= 0 ? kControlDescriptor + 1 : kControlDescriptor);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (options.output < 0) {
      ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, options.log.c_str(),
                                         O_WRONLY | O_CREAT | O_APPEND, 0644);
    }
    if (options.errors < 0) Place(STDOUT_FILENO, STDERR_FILENO);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t set;
    sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes_, &set);
    sigfillset(&set);
    ::posix_spawnattr_setsigdefault(&attributes_, &set);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  void Place(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<pid_t> Spawn(SpawnOptions options) {
  const SpawnPlan plan(options);
  pid_t process = -1;
  const int error = ::posix_spawnp(&process, options.arguments[0].c_str(), plan.actions(),
                                   plan.attributes(), base::Pointers(options.arguments).data(),
                                   base::Pointers(options.environment).data());
  if (error == 0) return process;
  return absl::InternalError(
      fmt::format("cannot start '{}': {}", options.arguments[0], base::Reason(error)));
}

}  // namespace ltml::process
