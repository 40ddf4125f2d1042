#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ltml::launch {

struct MpirunOptions {
  int ranks = 1;
  bool root = false;                     // mpirun wants to be told
  std::filesystem::path scratch{};       // session files and shared memory of this attempt
  std::filesystem::path rank_wrapper{};  // ltml-supervisor, which binds a rank's life to mpirun's
  std::filesystem::path worker{};
  std::filesystem::path task_file{};
};

// Arguments of Open MPI's mpirun after its name, for ranks on this machine only.  What each is for
// stands in docs/launch.md.  Pure.
std::vector<std::string> MpirunArguments(const MpirunOptions& options);

struct AttemptEnvironmentOptions {
  std::string attempt_id;
  std::string token;
  int threads_per_rank = 1;
};

// The environment of an attempt: `inherited` ("NAME=value") without what would bind threads, join
// another MPI job or a batch system's allocation, and with LTML_ATTEMPT, LTML_TOKEN and
// OMP_NUM_THREADS.  Pure.
std::vector<std::string> AttemptEnvironment(std::span<const std::string> inherited,
                                            const AttemptEnvironmentOptions& options);

}  // namespace ltml::launch
