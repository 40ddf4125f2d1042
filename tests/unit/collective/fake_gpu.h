#pragma once

#include <nccl.h>

// A fake of the part of CUDA's runtime and NCCL that worker/collective calls, for programs that are
// linked with fake_gpu.cc.  It has kDevices GPUs with memory of the host.  Every stream is a thread
// that does its work in order; NCCL's calls never do anything at once: what was asked for is taken
// up when somebody has polled for it twice.  It shows what our code makes of an answer of CUDA's
// or NCCL's, not that they give it.
namespace ltml::fake_gpu {

inline constexpr int kDevices = 4;

// What the next collective operation of this device will come to.
enum class Fault {
  kNone,
  kNotTakenUp,    // NCCL answers "in progress" for ever
  kRemoteError,   // taken up, and never done; polling answers ncclRemoteError
  kInvalidUsage,  // the call itself fails
};
void FailNext(int device, Fault fault);

// From now on ncclCommAbort does not return, until it is called with false.
void HoldAborts(bool hold);

// What there is now, and how communicators ended since the start of the program.
struct Census {
  int streams = 0;  // but those that every thread has
  int events = 0;
  int arrays = 0;
  int communicators = 0;
  int destroyed = 0;
  int aborted = 0;
};
Census Count();

}  // namespace ltml::fake_gpu
