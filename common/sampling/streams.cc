#include "common/sampling/streams.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"

namespace ltml::sampling {
namespace {

uint64_t PrefixOf(uint64_t seed, Stream stream, uint64_t a) {
  return PermutationKey::Prefix(seed, static_cast<uint32_t>(stream), a);
}

}  // namespace

Slice StepSlice(int64_t step, int64_t global_batch, int rank, int world_size) {
  assert(step >= 0 && global_batch >= 0 && rank >= 0 && rank < world_size);
  const int64_t share = global_batch / world_size;
  const int64_t longer = global_batch % world_size;
  const int64_t begin = step * global_batch + rank * share + std::min<int64_t>(rank, longer);
  return {begin, begin + share + (rank < longer ? 1 : 0)};
}

UniformStream::UniformStream(uint64_t seed, int64_t images)
    : prefix_(PrefixOf(seed, Stream::kUniform, 0)),
      epochs_(static_cast<uint64_t>(images)),
      domain_(static_cast<uint64_t>(images)) {
  assert(images >= 1);
}

int64_t UniformStream::ImageAt(int64_t position) const {
  assert(position >= 0);
  const auto [epoch, slot] = epochs_.Split(static_cast<uint64_t>(position));
  return static_cast<int64_t>(Permutation(domain_, Absorb(prefix_, epoch))(slot));
}

void UniformStream::ImagesAt(int64_t first, std::span<int64_t> images) const {
  assert(first >= 0);
  for (size_t done = 0; done < images.size();) {
    const auto [epoch, slot] = epochs_.Split(static_cast<uint64_t>(first) + done);
    const Permutation permutation(domain_, Absorb(prefix_, epoch));
    const uint64_t run = std::min<uint64_t>(images.size() - done, domain_.size() - slot);
    for (uint64_t i = 0; i < run; ++i) {
      images[done + i] = static_cast<int64_t>(permutation(slot + i));
    }
    done += run;
  }
}

absl::StatusOr<RebalancedStream> RebalancedStream::Create(uint64_t seed, const ClassLists& lists) {
  std::vector<ClassPlan> classes;
  for (int k = 0; k < lists.classes(); ++k) {
    const auto count = static_cast<uint64_t>(lists.count(k));
    if (count == 0) continue;
    classes.push_back({k, lists.offsets[k],
                       PrefixOf(seed, Stream::kRebalanced, 1 + static_cast<uint64_t>(k)),
                       Divider(count), PermutationDomain(count)});
  }
  if (classes.empty()) {
    return absl::InvalidArgumentError(
        "the re-balanced stream has nothing to draw: no class has an image; give the training "
        "images labels or set branches = \"uniform\"");
  }
  return RebalancedStream(seed, lists, std::move(classes));
}

RebalancedStream::RebalancedStream(uint64_t seed, const ClassLists& lists,
                                   std::vector<ClassPlan> classes)
    : lists_(&lists),
      classes_(std::move(classes)),
      prefix_(PrefixOf(seed, Stream::kRebalanced, 0)),
      rounds_(classes_.size()),
      class_domain_(classes_.size()) {}

RebalancedStream::Draw RebalancedStream::DrawOf(const ClassPlan& plan, uint64_t round) const {
  const auto [cycle, slot] = plan.cycles.Split(round);
  const uint64_t place = Permutation(plan.domain, Absorb(plan.prefix, cycle))(slot);
  return {lists_->images[plan.first_image + static_cast<int64_t>(place)], plan.class_index};
}

RebalancedStream::Draw RebalancedStream::DrawAt(int64_t position) const {
  assert(position >= 0);
  const auto [round, slot] = rounds_.Split(static_cast<uint64_t>(position));
  const Permutation order(class_domain_, Absorb(prefix_, round));
  return DrawOf(classes_[order(slot)], round);
}

void RebalancedStream::ImagesAt(int64_t first, std::span<int64_t> images) const {
  assert(first >= 0);
  for (size_t done = 0; done < images.size();) {
    const auto [round, slot] = rounds_.Split(static_cast<uint64_t>(first) + done);
    const Permutation order(class_domain_, Absorb(prefix_, round));
    const uint64_t run = std::min<uint64_t>(images.size() - done, classes_.size() - slot);
    for (uint64_t i = 0; i < run; ++i) {
      images[done + i] = DrawOf(classes_[order(slot + i)], round).image;
    }
    done += run;
  }
}

}  // namespace ltml::sampling
