#pragma once

#include <Random123/philox.h>

#include <cstdint>

namespace ltml::data {

// Random numbers of one drawn image: Philox4x32-10 (Salmon et al., 2011) with the job's seed as key
// and (position, stream, block) as counter.  They depend on nothing else, so any thread, rank or
// restart that makes the image makes the same one.
class PositionRandom {
 public:
  // stream: 0 uniform, 1 re-balanced; position: the draw's place in that stream.
  PositionRandom(uint64_t seed, uint32_t stream, int64_t position)
      : key_{{Low(seed), High(seed)}},
        counter_{{Low(static_cast<uint64_t>(position)), High(static_cast<uint64_t>(position)),
                  stream, 0}} {}

  // The next 32 random bits.
  uint32_t Bits() {
    if (used_ == 4) {
      block_ = r123::Philox4x32()(counter_, key_);
      ++counter_[3];
      used_ = 0;
    }
    return block_[used_++];
  }
  // In [low, high).
  double Uniform(double low, double high) { return low + (high - low) * (Bits() * 0x1p-32); }
  // In [0, count); count >= 1.  A value's chance is off by less than 2^-32.
  int Below(int count) {
    return static_cast<int>(uint64_t{Bits()} * static_cast<uint64_t>(count) >> 32);
  }

 private:
  static uint32_t Low(uint64_t value) { return static_cast<uint32_t>(value); }
  static uint32_t High(uint64_t value) { return static_cast<uint32_t>(value >> 32); }

  r123::Philox4x32::key_type key_;
  r123::Philox4x32::ctr_type counter_;
  r123::Philox4x32::ctr_type block_ = {};
  int used_ = 4;
};

}  // namespace ltml::data
