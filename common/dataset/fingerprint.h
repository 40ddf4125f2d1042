#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/sha256.h"

namespace ltml::dataset {

// Identity of a data set's content, whatever its shards: sha256 over K, then each class name, then
// for each image its labels, its name and its bytes, and last N.  Texts and lists go in with their
// length before them; numbers as eight little-endian bytes.
class Fingerprint {
 public:
  explicit Fingerprint(const std::vector<std::string>& class_names);
  void AddImage(std::span<const uint32_t> classes, std::string_view name,
                std::span<const std::byte> bytes);
  // 64 hexadecimal digits.  Call once, last.
  std::string Finish();

 private:
  void AddText(std::string_view text);

  base::Sha256 sha_;
  uint64_t images_ = 0;
};

}  // namespace ltml::dataset
