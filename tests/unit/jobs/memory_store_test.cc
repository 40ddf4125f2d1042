#include "coordinator/jobs/memory_store.h"

#include "coordinator/jobs/timed_store.h"
#include "tests/unit/jobs/job_store_contract.h"

namespace ltml::jobs {
namespace {

struct MemoryUnderTest : StoreUnderTest {
  JobStore& store() override { return memory; }
  bool Reopen() override { return false; }
  MemoryStore memory;
};

std::unique_ptr<StoreUnderTest> MakeMemoryStore() { return std::make_unique<MemoryUnderTest>(); }

INSTANTIATE_TEST_SUITE_P(Memory, JobStoreContract, testing::Values(&MakeMemoryStore));

TEST(MemoryStore, StoresNothingWhileItRefuses) {
  MemoryStore store;
  store.Refuse(true);
  Change change;
  change.jobs = {StoredJob("a")};
  std::promise<absl::Status> answer;
  store.Commit(change, [&](const absl::Status& status) { answer.set_value(status); });
  EXPECT_EQ(answer.get_future().get().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(store.Load()->jobs.empty());
}

struct TimedUnderTest : StoreUnderTest {
  JobStore& store() override { return timed; }
  bool Reopen() override { return false; }
  MemoryStore memory;
  TimedStore timed{memory};
};

std::unique_ptr<StoreUnderTest> MakeTimedStore() { return std::make_unique<TimedUnderTest>(); }

INSTANTIATE_TEST_SUITE_P(Timed, JobStoreContract, testing::Values(&MakeTimedStore));

TEST(TimedStore, CountsCommitsAndErrors) {
  MemoryStore memory;
  TimedStore store(memory);
  const auto commit = [&store] {
    Change change;
    change.jobs = {StoredJob("a")};
    std::promise<absl::Status> answer;
    store.Commit(change, [&](const absl::Status& status) { answer.set_value(status); });
    return answer.get_future().get();
  };
  EXPECT_TRUE(commit().ok());
  memory.Refuse(true);
  EXPECT_FALSE(commit().ok());
  memory.Refuse(false);
  EXPECT_TRUE(commit().ok());
  const TimedStore::Measured measured = store.measured();
  int64_t commits = 0;
  for (const int64_t count : measured.commits.counts()) commits += count;
  EXPECT_EQ(commits, 3);
  EXPECT_GT(measured.commits.sum_seconds(), 0);
  EXPECT_EQ(measured.errors, 1);
}

}  // namespace
}  // namespace ltml::jobs
