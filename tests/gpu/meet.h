#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "worker/train/collective.h"

namespace ltml::train {

// Returns when all ranks have called it.  Ranks of these tests are threads of one process, where
// memory that one rank makes or frees may wait for all GPUs: what an operation of another rank
// does there must not wait for this rank.  So ranks meet between the two.
inline void Meet(Collective& ranks) {
  std::vector<int64_t> word = {0};
  const absl::Status status =
      ranks.AllReduceSum(BufferOf(std::span<int64_t>(word)), std::chrono::seconds(60));
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace ltml::train
