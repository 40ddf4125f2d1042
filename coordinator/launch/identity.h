#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/base/descriptor.h"

namespace ltml::launch {

// What names one process for ever: the machine's start, the process id, and the process's start in
// clock ticks after the machine's.
struct ProcessIdentity {
  std::string boot_id;
  pid_t process = 0;
  int64_t start_ticks = 0;
};

// Of a living process or zombie; start_ticks is 0 when there is none.
ProcessIdentity IdentityOf(pid_t process);

// "BOOT_ID:PROCESS:TICKS" and back; an identity of nobody when the text is none.
std::string ToText(const ProcessIdentity& identity);
ProcessIdentity ParseIdentity(const std::string& text);

// A descriptor that is readable once the process has ended; not open when that process is gone,
// also when another one has its number.
base::Descriptor WatchProcess(const ProcessIdentity& identity);

}  // namespace ltml::launch
