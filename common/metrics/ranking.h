#pragma once

#include <bit>
#include <cstdint>
#include <span>

// What average precision needs of scores: their order alone, as unsigned integers.
namespace ltml::metrics {

// Keys in the order of their scores: KeyOf(a) < KeyOf(b) exactly when a < b, and equal scores (0.0
// and -0.0 too) have equal keys.  Not for NaN.
inline uint32_t KeyOf(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0.0 becomes 0.0
  return bits ^ (bits >> 31 != 0 ? ~uint32_t{0} : uint32_t{1} << 31);
}
inline uint64_t KeyOf(double score) {
  const auto bits = std::bit_cast<uint64_t>(score + 0.0);
  return bits ^ (bits >> 63 != 0 ? ~uint64_t{0} : uint64_t{1} << 63);
}

// Takes the keys of one class into memory for all of them: positives from the front, negatives from
// the back.
template <typename Key>
class Partition {
 public:
  Partition() = default;
  explicit Partition(std::span<Key> memory)
      : memory_(memory), front_(memory.data()), back_(memory.data() + memory.size()) {}

  // At most memory.size() times.
  void Add(Key key, bool positive) {
    back_ -= positive ? 0 : 1;
    *(positive ? front_ : back_) = key;
    front_ += positive ? 1 : 0;
  }
  // When all have been added.
  std::span<Key> positives() const { return {memory_.data(), front_}; }
  std::span<Key> negatives() const { return {front_, memory_.data() + memory_.size()}; }

 private:
  std::span<Key> memory_;
  Key* front_ = nullptr;
  Key* back_ = nullptr;
};

// Average precision of a class with at least one positive: sorts its keys, then goes down the
// distinct scores of its positives, each of which adds (recall gained) x precision.  O(n): a radix
// sort of 11 bits a pass; `scratch` is as large as the larger part.
template <typename Key>
double RankedPrecision(const Partition<Key>& partition, std::span<Key> scratch);

}  // namespace ltml::metrics
