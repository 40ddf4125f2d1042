#include "coordinator/launch/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "coordinator/launch/system.h"

namespace ltml::launch {
namespace {

class SpawnPlan {
 public:
  SpawnPlan(const std::filesystem::path& log, int control) {
    ::posix_spawn_file_actions_init(&actions_);
    if (control >= 0) {
      ::posix_spawn_file_actions_adddup2(&actions_, control, kControlDescriptor);
    }
    ::posix_spawn_file_actions_addclosefrom_np(
        &actions_, control >= 0 ? kControlDescriptor + 1 : kControlDescriptor);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
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
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<pid_t> Spawn(SpawnOptions options) {
  const SpawnPlan plan(options.log, options.control);
  pid_t process = -1;
  const int error =
      ::posix_spawnp(&process, options.arguments[0].c_str(), plan.actions(), plan.attributes(),
                     Pointers(options.arguments).data(), Pointers(options.environment).data());
  if (error == 0) return process;
  return absl::InternalError(
      fmt::format("cannot start '{}': {}", options.arguments[0], Reason(error)));
}

}  // namespace ltml::launch
