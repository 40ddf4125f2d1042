#pragma once

#include <ATen/ATen.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "worker/train/bucket_layout.h"
#include "worker/train/collective.h"
#include "worker/train/shared_memory.h"

namespace ltml::train {

// What a rank holds for every parameter, each laid out as the buckets are.
enum class Plane { kValues, kGradients, kFirstMoment, kSecondMoment };
inline constexpr int kPlanes = 4;

struct ParameterMemoryOptions {
  BucketLayout layout;
  at::ScalarType type = at::kFloat;
  at::Device device = at::kCPU;
  bool second_moment = false;  // kSecondMoment is there at all
  int64_t tail_doubles = 0;    // further room, for StepTail
};

// The flat memory of all parameters: in host memory one piece, shared between the ranks where they
// can share, else private, on huge pages; on a GPU a piece a bucket and plane.  Its tensors keep it
// alive.  Ranks that share memory have one set of values, which lies with rank 0.
class ParameterMemory {
 public:
  ParameterMemory(const ParameterMemoryOptions& options, const Collective& collective,
                  const ShareMemory& share);

  // [elements of the bucket], zero at first; undefined where there is no such plane.
  const at::Tensor& flat(Plane plane, int bucket) const {
    return flat_[static_cast<int>(plane)][bucket];
  }
  const std::vector<at::Tensor>& all(Plane plane) const { return flat_[static_cast<int>(plane)]; }
  const BucketLayout& layout() const { return layout_; }
  int buckets() const { return static_cast<int>(layout_.bucket_elements.size()); }

  // Null where the memory is this rank's alone.
  SharedMemory* shared() const { return shared_.get(); }
  bool has_own_values() const { return shared_ == nullptr || rank_ == 0; }
  // Where rank `rank` has the same bucket of a plane of its own (not kValues), or its tail.  Only
  // with shared memory.
  std::byte* peer(int rank, Plane plane, int bucket) const;
  double* peer_tail(int rank) const;

  int rank() const { return rank_; }
  int world_size() const { return world_size_; }

 private:
  int64_t Lay();
  void MakeTensorsOnDevice();
  void MakeTensors(std::byte* values, std::byte* own, const std::shared_ptr<void>& owner);

  const BucketLayout layout_;
  const at::TensorOptions options_;
  const bool second_moment_;
  const int64_t tail_doubles_;
  const int rank_, world_size_;
  std::array<std::vector<int64_t>, kPlanes> offsets_;  // in bytes, of each bucket
  int64_t tail_offset_ = 0;
  std::shared_ptr<SharedMemory> shared_;
  std::array<std::vector<at::Tensor>, kPlanes> flat_;
};

}  // namespace ltml::train
