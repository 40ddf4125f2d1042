#pragma once

#include "ltml/v1/examination.pb.h"

namespace ltml::examine {

// This machine as a host of a pool: would ranks of the server that asks run here?  Within 20 s
// unless a file system or a name server hangs.
v1::HostExamination Examine(const v1::HostQuestion& question);

}  // namespace ltml::examine
