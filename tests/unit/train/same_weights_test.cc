#include "worker/train/same_weights.h"

#include "tests/unit/train/fixture.h"

namespace ltml::train {
namespace {

TEST(SameWeights, NamesTheRankThatDiffers) {
  RunRanks(3, [](Collective& collective) {
    const at::Tensor flat = at::arange(1000, at::kFloat);
    EXPECT_TRUE(CheckSame({flat}, collective, kLimit).ok());
    if (collective.rank() == 2) flat[777].add_(1e-3);
    const absl::Status status = CheckSame({flat}, collective, kLimit);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_NE(std::string(status.message()).find("rank 2"), std::string::npos) << status;
    ASSERT_TRUE(BroadcastFlat({flat}, collective, kLimit).ok());
    EXPECT_TRUE(CheckSame({flat}, collective, kLimit).ok());
  });
}

}  // namespace
}  // namespace ltml::train
