#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace ltml::launch {

// The environment variable that marks every process of an attempt, from the supervisor down.
inline constexpr char kAttemptVariable[] = "LTML_ATTEMPT";
// Of mpirun: the attempt's folder, for the launch agent.
inline constexpr char kAttemptFolderVariable[] = "LTML_ATTEMPT_FOLDER";

// How the processes of an attempt are told from all others.
struct AttemptMark {
  // Value of LTML_ATTEMPT in the environment they were started with: 128 random bits.
  std::string id;
  // The supervisor's process id, which is its session's too: processes of that session and children
  // of the supervisor belong to the attempt whatever their environment says.  Only while the
  // supervisor has not been waited for; 0 for none.
  pid_t supervisor = 0;
  // A process that does not count, besides the caller; 0 for none.
  pid_t spared = 0;
};

// Living processes of the attempt, without the caller itself.  Zombies do not count.  Reads /proc:
// about 20 us a process of the machine.
std::vector<pid_t> ProcessesOf(const AttemptMark& mark);

struct Sweep {
  std::vector<pid_t> killed;  // had to be killed
  std::vector<pid_t> left;    // did not go within the limit (uninterruptible in the kernel)
};

// SIGKILL to all processes of the attempt, again and again, until none is left or `limit` is over.
Sweep EndProcesses(const AttemptMark& mark, std::chrono::nanoseconds limit);

// Whether `text` has the form of AttemptMark::id.
bool IsAttemptId(std::string_view text);

}  // namespace ltml::launch
