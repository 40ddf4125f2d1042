#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/dataset/reader.h"

namespace ltml::dataset {

// Names of the classes in their order; a class's place is its number everywhere.
class ClassTable {
 public:
  // From a file (a JSON list of names, or a name a line) or from an imported data set.  NotFound,
  // or InvalidArgument with every fault.
  static absl::StatusOr<ClassTable> Read(const std::filesystem::path& path);
  // Every name that the listing uses, sorted bytewise.
  static ClassTable FromListing(const Listing& listing);

  const std::vector<std::string>& names() const { return names_; }
  std::optional<uint32_t> Find(std::string_view name) const;

 private:
  explicit ClassTable(std::vector<std::string> names);

  std::vector<std::string> names_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;
};

// The first difference of two class tables in one sentence; empty when they are equal.
std::string ClassTableDifference(const std::vector<std::string>& got,
                                 const std::vector<std::string>& expected);

}  // namespace ltml::dataset
