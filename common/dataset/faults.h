#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace ltml::dataset {

// Faults of an import's source.  Keeps the 20 that come first in the file, in order of their lines,
// and counts the others, so that a list of millions of wrong lines costs nothing.  Not thread-safe.
class Faults {
 public:
  // `line` counts from 1; 0 when the source has no lines.  `text` says what is wrong and the cure.
  void Add(int64_t line, std::string text);

  bool empty() const { return count_ == 0; }
  int64_t count() const { return count_; }

  // InvalidArgument with one fault a line, "SOURCE:LINE: text", and how many more there are.  Ok
  // when there is none.
  absl::Status ToStatus(std::string_view source) const;

 private:
  struct Fault {
    int64_t line;
    std::string text;
  };
  std::vector<Fault> first_;
  int64_t count_ = 0;
};

}  // namespace ltml::dataset
