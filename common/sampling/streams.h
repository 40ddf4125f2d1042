#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/sampling/class_lists.h"
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
  bool operator==(const Slice&) const = default;
};

// Slice of global step `step` with `global_batch` positions.  0 <= rank < world_size.
// Positions are absolute: step t owns [t * global_batch, (t + 1) * global_batch).
// The first global_batch mod world_size ranks have one position more.
Slice StepSlice(int64_t step, int64_t global_batch, int rank, int world_size);

// The uniform stream: in each epoch of N draws every image exactly once (docs/method.md, Sampling).
//   epoch e = p / N, image = Permutation(seed, U, 0, e)(p mod N)
// Pure function of (seed, position); O(1) memory and time; any 64-bit N.  Thread-safe.
class UniformStream {
 public:
  // images >= 1.
  UniformStream(uint64_t seed, int64_t images);
  int64_t images() const { return static_cast<int64_t>(domain_.size()); }
  // Image in [0, N) at `position` >= 0.
  int64_t ImageAt(int64_t position) const;
  // images[i] = ImageAt(first + i), with one key an epoch instead of one a draw.
  void ImagesAt(int64_t first, std::span<int64_t> images) const;

 private:
  uint64_t prefix_;
  Divider epochs_;
  PermutationDomain domain_;
};

// The re-balanced, class-aware stream: every class that has an image exactly once in K' consecutive
// draws; a class's images all once before any repeats.  With K' the classes that have an image,
// round q = p / K' and N_c the images of class c (docs/method.md, Sampling):
//   c = the Permutation(seed, R, 0, q)(p mod K')-th class with an image
//   image = the Permutation(seed, R, 1 + c, q / N_c)(q mod N_c)-th of class c's list
// Pure function of (seed, position); O(1) per draw, O(K) memory.  Thread-safe.
class RebalancedStream {
 public:
  // InvalidArgument when no class has an image.  O(K); what `lists` views must live on.
  static absl::StatusOr<RebalancedStream> Create(uint64_t seed, const ClassListsView& lists);
  struct Draw {
    int64_t image = 0;
    int32_t class_index = 0;  // the class it was drawn for
    bool operator==(const Draw&) const = default;
  };
  // K'.
  int classes_with_images() const { return static_cast<int>(classes_.size()); }
  // Draw at `position` >= 0.
  Draw DrawAt(int64_t position) const;
  int64_t ImageAt(int64_t position) const { return DrawAt(position).image; }
  // images[i] = ImageAt(first + i), side by side: several times as fast.  Nothing is allocated.
  void ImagesAt(int64_t first, std::span<int64_t> images) const;

 private:
  // A class with images: all that its draws need, made once.
  struct ClassPlan {
    int32_t class_index;
    int64_t first_image;  // index into lists.images
    uint64_t prefix;
    Divider cycles;
    PermutationDomain domain;
  };

  RebalancedStream(uint64_t seed, const ClassListsView& lists, std::vector<ClassPlan> classes);
  static bool HaveNearlyEqualRounds(const std::vector<ClassPlan>& classes);
  void Locate(uint64_t first, std::span<const uint32_t*> entries,
              std::span<const uint32_t* const> coming) const;
  void SortByRounds(std::span<const uint64_t> classes, std::span<uint8_t> order) const;
  void DrawClasses(uint64_t first, std::span<uint64_t> classes, std::span<uint64_t> rounds) const;
  Draw DrawOf(const ClassPlan& plan, uint64_t round) const;

  ClassListsView lists_;
  std::vector<ClassPlan> classes_;
  uint64_t prefix_;
  Divider rounds_;
  PermutationDomain class_domain_;
  bool equal_rounds_;  // of the classes' permutations, nearly
};

}  // namespace ltml::sampling
