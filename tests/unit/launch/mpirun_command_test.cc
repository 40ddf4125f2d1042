#include "coordinator/launch/mpirun_command.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ltml::launch {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::string Joined(const MpirunOptions& options) {
  return fmt::format("{}", fmt::join(MpirunArguments(options), " "));
}

TEST(MpirunCommandTest, RunsTheWorkerOnTheTaskThroughTheWrapper) {
  const std::string line = Joined({.ranks = 3,
                                   .scratch = "/dev/shm/s",
                                   .rank_wrapper = "/b/ltml-supervisor",
                                   .worker = "/b/ltml-worker",
                                   .attempt_folder = "/r"});
  EXPECT_TRUE(line.starts_with("-n 3 --oversubscribe --bind-to none --stdin none")) << line;
  EXPECT_TRUE(line.ends_with("/b/ltml-supervisor --rank /r /b/ltml-worker /r/task.json")) << line;
  EXPECT_THAT(line, HasSubstr("--mca coll_tuned_allreduce_algorithm 4"));
  EXPECT_THAT(line, HasSubstr("--mca orte_tmpdir_base /dev/shm/s"));
}

TEST(MpirunCommandTest, TellsMpirunWhenItRunsAsRoot) {
  EXPECT_THAT(MpirunArguments({.root = true}), Contains("--allow-run-as-root"));
  EXPECT_THAT(MpirunArguments({.root = false}), Not(Contains("--allow-run-as-root")));
}

TEST(MpirunCommandTest, TokenIsNamedButNeverShown) {
  const std::string line = Joined({});
  EXPECT_THAT(line, HasSubstr("-x LTML_TOKEN "));
  EXPECT_THAT(line, Not(HasSubstr("LTML_TOKEN=")));
}

TEST(AttemptEnvironmentTest, DropsWhatBindsThreadsOrJoinsAnotherJob) {
  const std::vector<std::string> inherited = {
      "PATH=/bin",        "OMP_PROC_BIND=true",  "OMP_NUM_THREADS=9",
      "OMP_PLACES=cores", "PMIX_RANK=0",         "OMPI_COMM_WORLD_RANK=3",
      "SLURM_JOB_ID=1",   "GOMP_CPU_AFFINITY=0", "OMPI_MCA_btl_vader_single_copy_mechanism=none",
      "LTML_TOKEN=old",   "LTML_ATTEMPT=old",    "OMPX=1"};
  EXPECT_THAT(
      AttemptEnvironment(inherited, {.attempt_id = "id", .token = "secret", .threads_per_rank = 2}),
      UnorderedElementsAre("PATH=/bin", "OMPX=1", "OMPI_MCA_btl_vader_single_copy_mechanism=none",
                           "LTML_ATTEMPT=id", "LTML_TOKEN=secret", "OMP_NUM_THREADS=2"));
}

}  // namespace
}  // namespace ltml::launch
