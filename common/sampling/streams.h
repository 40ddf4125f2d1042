#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/sampling/permutation.h"

namespace ltml::sampling {

// Which of the two sample streams; also a domain of the keyed permutations.
enum class Stream : uint32_t { kUniform = 0, kRebalanced = 1 };

// The contiguous part [begin, end) of a global step's positions that falls to one rank.  The sizes
// of two ranks' slices differ by at most one; concatenated in rank order they are the global step.
struct Slice {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end - begin; }
};

// Slice of global step `step` with `global_batch` positions.  0 <= rank < world_size.
// Positions are absolute: step t owns [t * global_batch, (t + 1) * global_batch).
Slice StepSlice(int64_t step, int64_t global_batch, int rank, int world_size);

// The uniform stream: in each epoch of N draws every image exactly once (docs/method.md, Sampling).
// Pure function of (seed, position); O(1) memory and time; any 64-bit N.
class UniformStream {
 public:
  // images >= 1.
  UniformStream(uint64_t seed, int64_t images);
  // Image in [0, N) at `position` >= 0.
  int64_t ImageAt(int64_t position) const;
};

// The images that carry each class, as one flat list in the order of the data set.
struct ClassLists {
  std::vector<int64_t> offsets;  // size K + 1; class k is images[offsets[k] .. offsets[k + 1])
  std::vector<int64_t> images;
};

// The re-balanced, class-aware stream: every class that has an image exactly once in K' consecutive
// draws; a class's images all once before any repeats.
class RebalancedStream {
 public:
  // InvalidArgument when no class has an image.  Keeps a reference to `lists`, which must live on.
  static absl::StatusOr<RebalancedStream> Create(uint64_t seed, const ClassLists& lists);
  struct Draw {
    int64_t image = 0;
    int32_t class_index = 0;  // the class it was drawn for
  };
  Draw DrawAt(int64_t position) const;
  int64_t ImageAt(int64_t position) const { return DrawAt(position).image; }
};

}  // namespace ltml::sampling
