#include "common/dataset/class_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/dataset/json.h"
#include "common/dataset/layout.h"
#include "ltml/v1/dataset.pb.h"

namespace ltml::dataset {
namespace {

// A name and the line it stands on; 0 in a JSON list.
using NamedLine = std::pair<std::string, int64_t>;

absl::StatusOr<std::vector<NamedLine>> FromJsonList(std::string_view text,
                                                    const std::filesystem::path& path) {
  JsonParser parser;
  simdjson::dom::element element;
  simdjson::dom::array list;
  const auto error = parser.Parse(text, &element);
  if (error != simdjson::SUCCESS || element.get(list) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: the class table begins like a JSON list but is {}; correct it, or write a name a line",
        path.string(), Describe(error)));
  }
  std::vector<NamedLine> names;
  for (const simdjson::dom::element item : list) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError(
          fmt::format("{}: class {} is {}, expected a name as a string", path.string(),
                      names.size() + 1, TypeName(item)));
    }
    names.emplace_back(name, 0);
  }
  return names;
}

std::vector<NamedLine> FromLines(std::string_view text) {
  std::vector<NamedLine> names;
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view name = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (name.ends_with('\r') || name.ends_with(' ') || name.ends_with('\t')) {
      name.remove_suffix(1);
    }
    if (!name.empty()) names.emplace_back(name, line);
  }
  return names;
}

absl::StatusOr<std::vector<NamedLine>> FromFile(const std::filesystem::path& path) {
  LTML_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path));
  std::string_view text = content;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != std::string_view::npos && text[begin] == '[') return FromJsonList(text, path);
  return FromLines(text);
}

absl::StatusOr<std::vector<NamedLine>> FromDataset(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder / kInfoFile, error)) {
    return absl::NotFoundError(
        fmt::format("class table '{}' is a folder but no imported data set; give one, or a file "
                    "with a name a line",
                    folder.string()));
  }
  v1::DatasetInfo info;
  LTML_RETURN_IF_ERROR(base::ReadJsonFile(folder / kInfoFile, &info));
  std::vector<NamedLine> names;
  for (const v1::ClassInfo& item : info.classes()) names.emplace_back(item.name(), 0);
  return names;
}

Faults FaultsOf(const std::vector<NamedLine>& names) {
  Faults faults;
  absl::flat_hash_set<std::string> seen;
  for (const auto& [name, line] : names) {
    if (name.empty()) {
      faults.Add(line, "a class name is empty; remove it");
    } else if (!IsCleanText(name)) {
      faults.Add(line, fmt::format("the class name {} is not printable UTF-8", Quoted(name)));
    } else if (!seen.insert(name).second) {
      faults.Add(line, fmt::format("the class '{}' stands twice; remove one", name));
    }
  }
  if (names.empty()) faults.Add(0, "the class table is empty; write a name a line");
  return faults;
}

}  // namespace

ClassTable::ClassTable(std::vector<std::string> names) : names_(std::move(names)) {
  for (size_t i = 0; i < names_.size(); ++i) numbers_[names_[i]] = static_cast<uint32_t>(i);
}

absl::StatusOr<ClassTable> ClassTable::Read(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(
        fmt::format("there is no class table '{}'; correct --classes", path.string()));
  }
  auto named = std::filesystem::is_directory(path, error) ? FromDataset(path) : FromFile(path);
  if (!named.ok()) return named.status();
  LTML_RETURN_IF_ERROR(FaultsOf(*named).ToStatus(path.string()));
  std::vector<std::string> names;
  for (auto& [name, line] : *named) names.push_back(std::move(name));
  return ClassTable(std::move(names));
}

ClassTable ClassTable::FromListing(const Listing& listing) {
  std::set<std::string> names(listing.class_names.begin(), listing.class_names.end());
  for (const Record& record : listing.records) {
    for (const std::string& label : record.labels) {
      if (!label.empty()) names.insert(label);
    }
  }
  return ClassTable({names.begin(), names.end()});
}

std::optional<uint32_t> ClassTable::Find(std::string_view name) const {
  const auto found = numbers_.find(absl::string_view(name.data(), name.size()));
  if (found == numbers_.end()) return std::nullopt;
  return found->second;
}

std::string ClassTableDifference(const std::vector<std::string>& got,
                                 const std::vector<std::string>& expected) {
  const size_t common = std::min(got.size(), expected.size());
  for (size_t k = 0; k < common; ++k) {
    if (got[k] == expected[k]) continue;
    return fmt::format("class {} is '{}', expected '{}'", k, got[k], expected[k]);
  }
  if (got.size() == expected.size()) return "";
  return fmt::format("got {} classes, expected {}", got.size(), expected.size());
}

}  // namespace ltml::dataset
