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

bool IsDropped(std::string_view entry) {
  const std::string_view name = entry.substr(0, entry.find('='));
  return std::ranges::find(kDroppedVariables, name) != kDroppedVariables.end() ||
         std::ranges::any_of(kDroppedPrefixes,
                             [&](auto prefix) { return name.starts_with(prefix); });
}

void AddParameter(std::vector<std::string>& arguments, std::string name, std::string value) {
  arguments.insert(arguments.end(), {"--mca", std::move(name), std::move(value)});
}

}  // namespace

std::vector<std::string> MpirunArguments(const MpirunOptions& options) {
  std::vector<std::string> arguments = {"-n", fmt::format("{}", options.ranks)};
  if (options.root) arguments.push_back("--allow-run-as-root");
  arguments.insert(arguments.end(), {"--oversubscribe", "--bind-to", "none", "--stdin", "none"});
  AddParameter(arguments, "plm", "isolated");
  AddParameter(arguments, "oob_tcp_if_include", "lo");
  // Threads that start ranks would end before the ranks do, and take them along.
  AddParameter(arguments, "odls_base_num_threads", "0");
  AddParameter(arguments, "pml", "ob1");
  AddParameter(arguments, "btl", "self,vader");
  AddParameter(arguments, "mpi_yield_when_idle", "1");
  AddParameter(arguments, "coll_tuned_use_dynamic_rules", "1");
  AddParameter(arguments, "coll_tuned_allreduce_algorithm", "4");
  AddParameter(arguments, "orte_tmpdir_base", options.scratch.string());
  AddParameter(arguments, "btl_vader_backing_directory", options.scratch.string());
  AddParameter(arguments, "shmem_mmap_backing_file_base_dir", options.scratch.string());
  arguments.insert(arguments.end(), {"-x", "LTML_TOKEN", "-x", "OMP_NUM_THREADS"});
  arguments.insert(arguments.end(), {options.rank_wrapper.string(), "--rank",
                                     options.worker.string(), options.task_file.string()});
  return arguments;
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
