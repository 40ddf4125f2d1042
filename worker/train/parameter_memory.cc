#include "worker/train/parameter_memory.h"

#include <utility>

#include "common/base/pages.h"

namespace ltml::train {

ParameterMemory::ParameterMemory(const ParameterMemoryOptions& options,
                                 const Collective& collective, const ShareMemory& share)
    : layout_(options.layout),
      options_(at::TensorOptions(options.device).dtype(options.type)),
      second_moment_(options.second_moment),
      tail_doubles_(options.tail_doubles),
      rank_(collective.rank()),
      world_size_(collective.world_size()) {
  const int64_t bytes = Lay();
  if (!options.device.is_cpu()) {
    MakeTensorsOnDevice();
    return;
  }
  if (share && world_size_ > 1) {
    auto shared = share(bytes);
    if (shared.ok()) shared_ = *std::move(shared);
  }
  if (shared_ != nullptr) {
    MakeTensors(shared_->part(0), shared_->part(rank_), shared_);
    return;
  }
  const auto pages = std::make_shared<base::Pages>(static_cast<size_t>(bytes));
  MakeTensors(pages->data(), pages->data(), pages);
}

void ParameterMemory::MakeTensorsOnDevice() {
  for (int plane = 0; plane < kPlanes; ++plane) {
    flat_[plane].resize(layout_.bucket_elements.size());
    for (size_t bucket = 0; bucket < offsets_[plane].size(); ++bucket) {
      flat_[plane][bucket] = at::zeros({layout_.bucket_elements[bucket]}, options_);
    }
  }
}

int64_t ParameterMemory::Lay() {
  int64_t bytes = 0;
  const auto take = [&bytes](int64_t count) {
    constexpr int64_t kLine = 64;
    return std::exchange(bytes, bytes + (count + kLine - 1) / kLine * kLine);
  };
  const auto element_bytes = static_cast<int64_t>(options_.dtype().itemsize());
  for (int plane = 0; plane < (second_moment_ ? kPlanes : kPlanes - 1); ++plane) {
    for (const int64_t elements : layout_.bucket_elements) {
      offsets_[plane].push_back(take(elements * element_bytes));
    }
  }
  tail_offset_ = take(tail_doubles_ * static_cast<int64_t>(sizeof(double)));
  return bytes;
}

void ParameterMemory::MakeTensors(std::byte* values, std::byte* own,
                                  const std::shared_ptr<void>& owner) {
  for (int plane = 0; plane < kPlanes; ++plane) {
    std::byte* const from = plane == static_cast<int>(Plane::kValues) ? values : own;
    flat_[plane].resize(layout_.bucket_elements.size());
    for (size_t bucket = 0; bucket < offsets_[plane].size(); ++bucket) {
      flat_[plane][bucket] = at::from_blob(
          from + offsets_[plane][bucket], {layout_.bucket_elements[bucket]}, [owner](void*) {},
          options_);
    }
  }
}

std::byte* ParameterMemory::peer(int rank, Plane plane, int bucket) const {
  return shared_->part(rank) + offsets_[static_cast<int>(plane)][bucket];
}

double* ParameterMemory::peer_tail(int rank) const {
  return reinterpret_cast<double*>(shared_->part(rank) + tail_offset_);
}

}  // namespace ltml::train
