#include "coordinator/launch/mpirun_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "coordinator/launch/processes.h"

namespace ltml::launch {
namespace {

constexpr std::array kDroppedVariables = {
    std::string_view("OMP_NUM_THREADS"), std::string_view("OMP_PROC_BIND"),
    std::string_view("OMP_PLACES"),      std::string_view("GOMP_CPU_AFFINITY"),
    std::string_view("KMP_AFFINITY"),    std::string_view("LTML_TOKEN"),
    std::string_view(kAttemptVariable)};

constexpr std::array kDroppedPrefixes = {
    std::string_view("PMIX_"),         std::string_view("PMI_"),
    std::string_view("OMPI_COMM_"),    std::string_view("OMPI_UNIVERSE_"),
    std::string_view("OMPI_MCA_orte"), std::string_view("OMPI_MCA_ess"),
    std::string_view("OMPI_MCA_pmix"), std::string_view("SLURM_"),
    std::string_view("PBS_")};

constexpr std::array kNeededVariables = {
    std::string_view("PATH"),    std::string_view("HOME"),           std::string_view("USER"),
    std::string_view("LOGNAME"), std::string_view("LANG"),           std::string_view("TZ"),
    std::string_view("TMPDIR"),  std::string_view("LD_LIBRARY_PATH")};

// Of this machine and this user's account on it.  PATH and LD_LIBRARY_PATH reach other hosts with
// the command that starts Open MPI's daemon, which needs them too.
constexpr std::array kHostVariables = {
    std::string_view("PATH"),    std::string_view("HOME"),   std::string_view("USER"),
    std::string_view("LOGNAME"), std::string_view("TMPDIR"), std::string_view("LD_LIBRARY_PATH")};

template <typename Names>
bool Contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != std::ranges::end(names);
}

std::string_view NameOf(std::string_view entry) { return entry.substr(0, entry.find('=')); }

bool IsDropped(std::string_view entry) {
  const std::string_view name = NameOf(entry);
  return Contains(kDroppedVariables, name) ||
         std::ranges::any_of(kDroppedPrefixes,
                             [&](auto prefix) { return name.starts_with(prefix); });
}

void AddParameter(std::vector<std::string>& arguments, std::string name, std::string value) {
  arguments.insert(arguments.end(), {"--mca", std::move(name), std::move(value)});
}

void AddHosts(std::vector<std::string>& arguments, const MpirunOptions& options) {
  arguments.insert(arguments.end(),
                   {"--leave-session-attached", "--hostfile", options.host_file.string()});
  AddParameter(arguments, "rmaps", "seq");
  AddParameter(arguments, "orte_keep_fqdn_hostnames", "1");
  AddParameter(arguments, "plm", "rsh");
  AddParameter(arguments, "plm_rsh_agent", options.agent);
  AddParameter(arguments, "plm_rsh_no_tree_spawn", "1");
  AddParameter(arguments, "oob_tcp_keepalive_time", "3");
  AddParameter(arguments, "oob_tcp_keepalive_intvl", "1");
  AddParameter(arguments, "oob_tcp_keepalive_probes", "3");
  AddParameter(arguments, "btl", "self,vader,tcp");
  if (options.interfaces.empty()) return;
  const std::string interfaces = fmt::format("{}", fmt::join(options.interfaces, ","));
  AddParameter(arguments, "oob_tcp_if_include", interfaces);
  AddParameter(arguments, "btl_tcp_if_include", interfaces);
}

}  // namespace

std::vector<std::string> MpirunArguments(const MpirunOptions& options) {
  std::vector<std::string> arguments = {"-n", fmt::format("{}", options.ranks)};
  if (options.root) arguments.push_back("--allow-run-as-root");
  arguments.insert(arguments.end(), {"--oversubscribe", "--bind-to", "none", "--stdin", "none"});
  if (options.remote) {
    AddHosts(arguments, options);
  } else {
    AddParameter(arguments, "plm", "isolated");
    AddParameter(arguments, "oob_tcp_if_include", "lo");
    AddParameter(arguments, "btl", "self,vader");
  }
  // Threads that start ranks would end before the ranks do, and take them along.
  AddParameter(arguments, "odls_base_num_threads", "0");
  AddParameter(arguments, "pml", "ob1");
  AddParameter(arguments, "mpi_yield_when_idle", "1");
  AddParameter(arguments, "coll_tuned_use_dynamic_rules", "1");
  AddParameter(arguments, "coll_tuned_allreduce_algorithm", "4");
  AddParameter(arguments, "orte_tmpdir_base", options.scratch.string());
  AddParameter(arguments, "btl_vader_backing_directory", options.scratch.string());
  AddParameter(arguments, "shmem_mmap_backing_file_base_dir", options.scratch.string());
  arguments.insert(arguments.end(), {"-x", "LTML_TOKEN", "-x", "OMP_NUM_THREADS"});
  for (const std::string& name : options.environment) {
    arguments.insert(arguments.end(), {"-x", name});
  }
  arguments.insert(arguments.end(),
                   {options.rank_wrapper.string(), "--rank", options.attempt_folder.string(),
                    options.worker.string(), (options.attempt_folder / "task.json").string()});
  return arguments;
}

std::vector<std::string> AllowedEnvironment(std::span<const std::string> inherited,
                                            std::span<const std::string> names) {
  std::vector<std::string> result;
  std::ranges::copy_if(inherited, std::back_inserter(result), [&](const std::string& entry) {
    const std::string_view name = NameOf(entry);
    return Contains(kNeededVariables, name) || name.starts_with("LC_") ||
           name.starts_with("LTML_") || Contains(names, name);
  });
  return result;
}

std::vector<std::string> NamesToHandOn(std::span<const std::string> environment) {
  std::vector<std::string> result;
  for (const std::string& entry : environment) {
    const std::string_view name = NameOf(entry);
    if (!Contains(kHostVariables, name) && !IsDropped(entry)) result.emplace_back(name);
  }
  return result;
}

std::vector<std::string> AttemptEnvironment(std::span<const std::string> inherited,
                                            const AttemptEnvironmentOptions& options) {
  std::vector<std::string> result;
  std::ranges::copy_if(inherited, std::back_inserter(result),
                       [](const std::string& entry) { return !IsDropped(entry); });
  result.push_back(fmt::format("{}={}", kAttemptVariable, options.attempt_id));
  result.push_back(fmt::format("LTML_TOKEN={}", options.token));
  result.push_back(fmt::format("OMP_NUM_THREADS={}", options.threads_per_rank));
  return result;
}

}  // namespace ltml::launch
