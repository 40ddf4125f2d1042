#include "coordinator/jobs/memory_store.h"

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

}  // namespace
}  // namespace ltml::jobs
