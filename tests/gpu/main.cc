#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "worker/collective/nccl.h"

// Where there is no GPU, CTest must not count a pass.
int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  ltml::collective::PinNcclAlgorithms();
  ::testing::InitGoogleTest(&argc, argv);
  int devices = 0;
  const cudaError_t asked = cudaGetDeviceCount(&devices);
  if (asked != cudaSuccess || devices == 0) {
    std::printf("no CUDA device: nothing was tested (%s)\n",
                asked == cudaSuccess ? "the driver lists none" : cudaGetErrorString(asked));
    return kSkipped;
  }
  std::printf("%d CUDA device(s)\n", devices);
  return RUN_ALL_TESTS();
}
