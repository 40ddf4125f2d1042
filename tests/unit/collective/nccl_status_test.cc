#include "worker/collective/nccl_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "worker/collective/nccl.h"

namespace ltml::collective {
namespace {

using ::testing::HasSubstr;

TEST(NcclStatus, TranslatesEveryResultOnce) {
  EXPECT_EQ(CodeOfNccl(ncclSuccess), absl::StatusCode::kOk);
  for (const ncclResult_t lost : {ncclUnhandledCudaError, ncclSystemError, ncclRemoteError}) {
    EXPECT_EQ(CodeOfNccl(lost), absl::StatusCode::kUnavailable) << lost;
  }
  for (const ncclResult_t ours :
       {ncclInternalError, ncclInvalidArgument, ncclInvalidUsage, ncclInProgress}) {
    EXPECT_EQ(CodeOfNccl(ours), absl::StatusCode::kInternal) << ours;
  }
}

TEST(NcclStatus, SaysWhereWhatAndTheCure) {
  EXPECT_TRUE(StatusOfNccl(ncclSuccess, "rank 1").ok());
  const std::string text(
      StatusOfNccl(ncclRemoteError, "rank 1 of 4 (GPU 1): NCCL all-reduce 7").message());
  EXPECT_THAT(text, HasSubstr("rank 1 of 4 (GPU 1): NCCL all-reduce 7"));
  EXPECT_THAT(text, HasSubstr(ncclGetErrorString(ncclRemoteError)));
  EXPECT_THAT(text, HasSubstr("another rank has ended"));
}

TEST(CudaStatus, TranslatesWhatUsersCanCure) {
  EXPECT_EQ(CodeOfCuda(cudaSuccess), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOfCuda(cudaErrorMemoryAllocation), absl::StatusCode::kResourceExhausted);
  for (const cudaError_t machine : {cudaErrorNoDevice, cudaErrorInvalidDevice,
                                    cudaErrorInsufficientDriver, cudaErrorNoKernelImageForDevice}) {
    EXPECT_EQ(CodeOfCuda(machine), absl::StatusCode::kFailedPrecondition) << machine;
  }
  EXPECT_EQ(CodeOfCuda(cudaErrorInvalidValue), absl::StatusCode::kInternal);
  EXPECT_EQ(CodeOfCuda(cudaErrorIllegalAddress), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(StatusOfCuda(cudaErrorNoDevice, "rank 0").message()),
              HasSubstr("nvidia-smi"));
}

TEST(PinNcclAlgorithms, LeavesWhatTheUserHasSet) {
  setenv("NCCL_PROTO", "LL128", 1);
  unsetenv("NCCL_ALGO");
  PinNcclAlgorithms();
  EXPECT_STREQ(std::getenv("NCCL_PROTO"), "LL128");
  EXPECT_STREQ(std::getenv("NCCL_ALGO"), "Ring");
  EXPECT_STREQ(std::getenv("NCCL_NVLS_ENABLE"), "0");
}

}  // namespace
}  // namespace ltml::collective
