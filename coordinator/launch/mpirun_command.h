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
  std::filesystem::path attempt_folder{};  // task.json, and logs of ranks on other hosts
  // The rest is for ranks on other hosts.
  bool remote = false;
  std::filesystem::path host_file{};       // a host name a rank
  std::string agent{};                     // program and options, separated by blanks
  std::vector<std::string> interfaces{};   // empty: Open MPI chooses
  std::vector<std::string> environment{};  // names of variables to hand on
};

// Arguments of Open MPI's mpirun after its name.  What each is for stands in docs/launch.md.  Pure.
std::vector<std::string> MpirunArguments(const MpirunOptions& options);

struct AttemptEnvironmentOptions {
  std::string attempt_id;
  std::string token;
  int threads_per_rank = 1;
};

// Of `inherited` ("NAME=value") what every program needs (PATH, HOME, USER, LOGNAME, LANG, LC_*,
// TZ, TMPDIR, LD_LIBRARY_PATH, LTML_*) and the variables `names`.  Pure.
std::vector<std::string> AllowedEnvironment(std::span<const std::string> inherited,
                                            std::span<const std::string> names);

// Names of variables that ranks on other hosts get from an environment made by
// AllowedEnvironment: without those that differ from host to host.  Pure.
std::vector<std::string> NamesToHandOn(std::span<const std::string> environment);

// The environment of an attempt: `inherited` ("NAME=value") without what would bind threads, join
// another MPI job or a batch system's allocation, and with LTML_ATTEMPT, LTML_TOKEN and
// OMP_NUM_THREADS.  Pure.
std::vector<std::string> AttemptEnvironment(std::span<const std::string> inherited,
                                            const AttemptEnvironmentOptions& options);

}  // namespace ltml::launch
