#pragma once

#include <sys/types.h>

#include <filesystem>

#include "absl/status/statusor.h"
#include "common/base/descriptor.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

struct MpirunProcess {
  pid_t process = -1;
  base::Descriptor output;  // of mpirun itself, to read from
};

// Starts mpirun on the plan as a child that the kernel ends with this process.  NotFound when there
// is no mpirun.
absl::StatusOr<MpirunProcess> StartMpirun(const v1::LaunchPlan& plan,
                                          const std::filesystem::path& attempt_folder,
                                          const std::filesystem::path& scratch);

}  // namespace ltml::launch
