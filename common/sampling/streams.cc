#include "common/sampling/streams.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "common/sampling/side_by_side.h"

namespace ltml::sampling {
namespace {

uint64_t PrefixOf(uint64_t seed, Stream stream, uint64_t a) {
  return PermutationKey::Prefix(seed, static_cast<uint32_t>(stream), a);
}

constexpr size_t kMost = SideBySide::kMost;
constexpr int kMostRounds = PermutationDomain::RoundsFor(2);

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

// Whether running every class as long as the longest costs little.
bool RebalancedStream::HaveNearlyEqualRounds(const std::vector<ClassPlan>& classes) {
  int most = 0;
  int64_t sum = 0;
  for (const ClassPlan& plan : classes) {
    most = std::max(most, plan.domain.rounds());
    sum += plan.domain.rounds();
  }
  return 10 * sum >= int64_t{9} * most * std::ssize(classes);
}

absl::StatusOr<RebalancedStream> RebalancedStream::Create(uint64_t seed,
                                                          const ClassListsView& lists) {
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

RebalancedStream::RebalancedStream(uint64_t seed, const ClassListsView& lists,
                                   std::vector<ClassPlan> classes)
    : lists_(lists),
      classes_(std::move(classes)),
      prefix_(PrefixOf(seed, Stream::kRebalanced, 0)),
      rounds_(classes_.size()),
      class_domain_(classes_.size()),
      equal_rounds_(HaveNearlyEqualRounds(classes_)) {}

RebalancedStream::Draw RebalancedStream::DrawOf(const ClassPlan& plan, uint64_t round) const {
  const auto [cycle, slot] = plan.cycles.Split(round);
  const uint64_t place = Permutation(plan.domain, Absorb(plan.prefix, cycle))(slot);
  return {lists_.images[plan.first_image + static_cast<int64_t>(place)], plan.class_index};
}

RebalancedStream::Draw RebalancedStream::DrawAt(int64_t position) const {
  assert(position >= 0);
  const auto [round, slot] = rounds_.Split(static_cast<uint64_t>(position));
  const Permutation order(class_domain_, Absorb(prefix_, round));
  return DrawOf(classes_[order(slot)], round);
}

void RebalancedStream::ImagesAt(int64_t first, std::span<int64_t> images) const {
  assert(first >= 0);
  // Entries of one block come from memory while the next block is located.
  std::array<std::array<const uint32_t*, kMost>, 2> entries;
  size_t located = 0, done = 0;
  for (size_t block = 0; done < images.size(); ++block) {
    const size_t count = std::min(kMost, images.size() - located);
    const std::span<const uint32_t*> last =
        std::span(entries[(block + 1) % 2]).first(located - done);
    Locate(static_cast<uint64_t>(first) + located, std::span(entries[block % 2]).first(count),
           last);
    for (const uint32_t* entry : last) images[done++] = *entry;
    located += count;
  }
}

// Of at most kMost positions: the places in the list of classes with images, and the rounds.
void RebalancedStream::DrawClasses(uint64_t first, std::span<uint64_t> classes,
                                   std::span<uint64_t> rounds) const {
  SideBySide draws;
  auto [round, slot] = rounds_.Split(first);
  uint64_t key = Absorb(prefix_, round);
  for (size_t i = 0; i < classes.size(); ++i) {
    rounds[i] = round;
    draws.Add(class_domain_, key, slot, static_cast<uint8_t>(i));
    if (++slot < classes_.size()) continue;
    slot = 0;
    key = Absorb(prefix_, ++round);
  }
  draws.Run(classes);
}

// At most kMost positions: where their images stand.  Meanwhile `coming` are fetched, one by one,
// since the processor waits when too many are on their way.
void RebalancedStream::Locate(uint64_t first, std::span<const uint32_t*> entries,
                              std::span<const uint32_t* const> coming) const {
  const size_t count = entries.size();
  std::array<uint64_t, kMost> classes, rounds, places;
  DrawClasses(first, std::span(classes).first(count), rounds);
  std::array<uint8_t, kMost> order;
  std::iota(order.begin(), order.begin() + count, uint8_t{0});
  if (!equal_rounds_) SortByRounds(classes, std::span(order).first(count));
  SideBySide draws;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t place = order[i];
    const ClassPlan& plan = classes_[classes[place]];
    const auto [cycle, slot] = plan.cycles.Split(rounds[place]);
    if (i < coming.size()) __builtin_prefetch(coming[i]);
    draws.Add(plan.domain, Absorb(plan.prefix, cycle), slot, place);
    entries[place] = lists_.images.data() + plan.first_image;
  }
  draws.Run(places);
  for (size_t i = 0; i < count; ++i) entries[i] += places[i];
}

// A counting sort by falling rounds of the classes' permutations.
void RebalancedStream::SortByRounds(std::span<const uint64_t> classes,
                                    std::span<uint8_t> order) const {
  std::array<uint16_t, kMostRounds / 2 + 1> begins = {};
  const auto group = [&](size_t i) {
    return (kMostRounds - classes_[classes[i]].domain.rounds()) / 2;
  };
  for (size_t i = 0; i < order.size(); ++i) ++begins[group(i) + 1];
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  for (size_t i = 0; i < order.size(); ++i) order[begins[group(i)]++] = static_cast<uint8_t>(i);
}

}  // namespace ltml::sampling
