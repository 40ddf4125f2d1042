// One rank of a contract test of the MPI collective: mpirun -n 3 mpi_ranks [SCENARIO].
// Every rank is a GoogleTest program of its own; mpirun fails when one of them does.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <string>
#include <thread>

#include "tests/unit/collective/contract.h"
#include "worker/collective/collectives.h"
#include "worker/collective/mpi_operations.h"

namespace ltml::collective {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// MPI starts once a process.
train::Collective*& World() {
  static train::Collective* world = nullptr;
  return world;
}

double ProcessorSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

TEST(Mpi, HasTheExpectedWorld) {
  const char* expected = std::getenv("LTML_TEST_RANKS");
  ASSERT_NE(expected, nullptr);
  EXPECT_EQ(World()->world_size(), std::stoi(expected));
  EXPECT_GE(World()->rank(), 0);
  EXPECT_LT(World()->rank(), World()->world_size());
}

TEST(Mpi, KeepsTheContract) { CollectiveContract(*World()).Check(); }

TEST(Mpi, GivesAllRanksTheSameBits) {
  train::Collective& world = *World();
  std::vector<float> values(100'003);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = 1.0F / static_cast<float>(i + 3 + 7 * static_cast<size_t>(world.rank()));
  }
  std::vector<float> again = values;
  ASSERT_TRUE(world.AllReduceSum(train::BufferOf(std::span<float>(values)), seconds(20)).ok());
  ASSERT_TRUE(world.AllReduceSum(train::BufferOf(std::span<float>(again)), seconds(20)).ok());
  EXPECT_EQ(values, again);
  std::vector<float> first = values;
  ASSERT_TRUE(world.Broadcast(train::BufferOf(std::span<float>(first)), 0, seconds(20)).ok());
  EXPECT_EQ(values, first);
}

// An early rank sleeps instead of burning the core that a late rank needs.
TEST(Mpi, WaitingCostsLittle) {
  train::Collective& world = *World();
  std::vector<double> value = {1};
  const double before = ProcessorSeconds();
  if (world.rank() == world.world_size() - 1) std::this_thread::sleep_for(seconds(1));
  ASSERT_TRUE(world.AllReduceSum(train::BufferOf(std::span<double>(value)), seconds(20)).ok());
  EXPECT_LT(ProcessorSeconds() - before, 0.4);
}

// Last: breaks the world.  The last rank comes too late for the others.
TEST(Mpi, ZDeadlinePassesWithoutAHang) {
  train::Collective& world = *World();
  if (world.world_size() == 1) GTEST_SKIP() << "needs a second rank";
  std::vector<double> value = {1};
  const bool late = world.rank() == world.world_size() - 1;
  if (late) {
    std::this_thread::sleep_for(seconds(2));
    return;
  }
  const auto begin = std::chrono::steady_clock::now();
  const absl::Status status =
      world.AllReduceSum(train::BufferOf(std::span<double>(value)), milliseconds(300));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(1));
  EXPECT_EQ(value[0], 1);
  EXPECT_EQ(world.AllReduceSum(train::BufferOf(std::span<double>(value)), seconds(5)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace ltml::collective

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  auto mpi = ltml::collective::MakeMpi(std::chrono::seconds(30));
  if (!mpi.ok()) {
    std::fprintf(stderr, "%s\n", std::string(mpi.status().message()).c_str());
    return 1;
  }
  ltml::collective::World() = mpi->get();
  const int result = RUN_ALL_TESTS();
  mpi->reset();
  return result;
}
