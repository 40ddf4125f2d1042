#include "common/dataset/import_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/dataset/json.h"

namespace ltml::dataset {
namespace {

// What is wrong with a path as it is written; nothing when it stays inside its root.
std::optional<std::string> PathFault(const std::string& name) {
  if (name.empty()) return "the image path is empty; write the path of a file";
  if (!IsCleanText(name)) {
    return fmt::format("the image path {} is not printable UTF-8; rename the file", Quoted(name));
  }
  const std::filesystem::path path(name);
  if (path.is_absolute()) {
    return fmt::format("the image path {} is absolute; write it relative to the images folder",
                       Quoted(name));
  }
  const auto normal = path.lexically_normal();
  if (*normal.begin() == "..") {
    return fmt::format("the image path {} leaves the images folder; move the file below it",
                       Quoted(name));
  }
  return std::nullopt;
}

class RecordChecker {
 public:
  RecordChecker(const ClassTable& table, Faults& faults) : table_(table), faults_(faults) {}

  // Whether the record's picture may be looked at.
  bool CheckPath(const Record& record) {
    if (auto fault = PathFault(record.name)) {
      faults_.Add(record.line, *std::move(fault));
      return false;
    }
    const std::string normal = std::filesystem::path(record.name).lexically_normal().string();
    const auto [first, is_new] = lines_.try_emplace(normal, record.line);
    if (!is_new) {
      faults_.Add(record.line, fmt::format("image '{}' stands on line {} already; remove one",
                                           record.name, first->second));
    }
    return is_new;
  }

  std::vector<uint32_t> CheckLabels(const Record& record) {
    std::vector<uint32_t> classes;
    for (const std::string& label : record.labels) {
      if (const auto id = CheckLabel(label, record.line)) classes.push_back(*id);
    }
    std::sort(classes.begin(), classes.end());
    const auto twice = std::adjacent_find(classes.begin(), classes.end());
    if (twice != classes.end()) {
      faults_.Add(record.line,
                  fmt::format("label '{}' stands twice; remove one", table_.names()[*twice]));
    }
    return classes;
  }

 private:
  std::optional<uint32_t> CheckLabel(const std::string& label, int64_t line) {
    if (label.empty()) {
      faults_.Add(line, "a label is empty; write a class name or remove it");
      return std::nullopt;
    }
    if (!IsCleanText(label)) {
      faults_.Add(line, fmt::format("label {} is not printable UTF-8", Quoted(label)));
      return std::nullopt;
    }
    const auto id = table_.Find(label);
    if (!id) {
      faults_.Add(line, fmt::format("label {} is not in the class table of {} names; correct it, "
                                    "or add it to the table",
                                    Quoted(label), table_.names().size()));
    }
    return id;
  }

  const ClassTable& table_;
  Faults& faults_;
  absl::flat_hash_map<std::string, int64_t> lines_;
};

}  // namespace

std::vector<Candidate> CheckRecords(const Listing& listing, const ClassTable& table,
                                    Faults& faults) {
  RecordChecker checker(table, faults);
  std::vector<Candidate> candidates;
  candidates.reserve(listing.records.size());
  for (const Record& record : listing.records) {
    std::vector<uint32_t> classes = checker.CheckLabels(record);
    if (checker.CheckPath(record)) candidates.push_back({&record, std::move(classes)});
  }
  return candidates;
}

}  // namespace ltml::dataset
