#pragma once

#include <cstdint>
#include <vector>

namespace ltml::engine {

// Places buffers in one piece of memory.  Each lives from the first to the last moment that it is
// used at; buffers that live at the same time do not overlap.  First fit, largest first: not the
// least memory possible, but near it for networks.
class MemoryPlan {
 public:
  using Buffer = int;
  static constexpr Buffer kNone = -1;

  // `floats` is rounded up to whole cache lines.
  Buffer Add(int64_t floats);
  void Use(Buffer buffer, int moment);
  // After the last Use.
  void Place();

  int64_t offset(Buffer buffer) const { return entries_[buffer].offset; }
  int64_t total() const { return total_; }

 private:
  struct Entry {
    int64_t floats = 0, offset = 0;
    int first = 0, last = -1;
    bool Meets(const Entry& other) const { return first <= other.last && other.first <= last; }
  };
  int64_t FirstFit(const Entry& entry, const std::vector<int>& placed) const;

  std::vector<Entry> entries_;
  int64_t total_ = 0;
};

}  // namespace ltml::engine
