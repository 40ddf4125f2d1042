#include "common/config/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <optional>
#include <system_error>

#include "absl/strings/str_split.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/config/field_value.h"
#include "common/config/nearest.h"
#include "common/config/rules.h"

namespace ltml::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int64_t kLargestFile = 1 << 20;

std::string Join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

absl::StatusOr<toml::table> Parse(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto place = error.source().begin;
    return absl::InvalidArgumentError(fmt::format("{}:{}:{}: not valid TOML: {}", file, place.line,
                                                  place.column, error.description()));
  }
}

// The field of `root` at "a.b", nullptr when there is none.
const FieldDescriptor* FindField(const Descriptor& root, const std::vector<std::string>& path) {
  const Descriptor* message = &root;
  const FieldDescriptor* field = nullptr;
  for (const std::string& name : path) {
    if (message == nullptr) return nullptr;
    field = message->FindFieldByName(name);
    if (field == nullptr) return nullptr;
    message = KindOf(*field) == Kind::kTable ? field->message_type() : nullptr;
  }
  return field;
}

// Text after "=" as TOML; what is no TOML value, or meant for a string field, is a bare string.
void InsertValue(const std::string& text, const FieldDescriptor* field, std::string_view key,
                 toml::table* table) {
  const bool wants_text = field != nullptr && !field->is_repeated() &&
                          field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  const absl::StatusOr<toml::table> parsed = Parse("v = " + text, "");
  const toml::node* value = parsed.ok() && parsed->size() == 1 ? parsed->get("v") : nullptr;
  if (value == nullptr || (wants_text && !value->is_string())) {
    table->insert_or_assign(key, text);
    return;
  }
  value->visit([&](const auto& typed) { table->insert_or_assign(key, typed); });
}

void Override(const std::string& text, const Descriptor& root, toml::table* table, Faults* faults) {
  const size_t split = text.find('=');
  const std::string path = text.substr(0, split);
  const std::vector<std::string> parts = absl::StrSplit(path, '.');
  faults->SetOverride(path, text);
  for (const std::string& part : parts) {
    if (split == std::string::npos || part.empty()) {
      return faults->Add(path, "expected path=value, as in schedule.steps=100");
    }
  }
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    toml::table* inner = table->insert(parts[i], toml::table{}).first->second.as_table();
    if (inner == nullptr) return faults->Add(path, "its table is no table in the job file");
    table = inner;
  }
  InsertValue(text.substr(split + 1), FindField(root, parts), parts.back(), table);
}

class Reader {
 public:
  Reader(const Descriptor& root, std::filesystem::path folder, Faults* faults)
      : root_(root), folder_(std::move(folder)), faults_(faults) {}

  void ReadTable(const toml::table& table, const std::string& path, Message* message) {
    const Descriptor& type = *message->GetDescriptor();
    for (const auto& [key, value] : table) {
      const std::string inner = Join(path, key.str());
      faults_->SetLine(inner, static_cast<int>(value.source().begin.line));
      const FieldDescriptor* field = type.FindFieldByName(std::string(key.str()));
      if (field == nullptr) {
        RefuseKey(inner, std::string(key.str()), type);
      } else {
        given_.push_back(inner);
        ReadField(value, *field, inner, message);
      }
    }
    for (int i = 0; i < type.field_count(); ++i) {
      if (!table.contains(type.field(i)->name())) FillAbsent(*type.field(i), path, message);
    }
  }

  const std::vector<std::string>& given() const { return given_; }

 private:
  void ReadField(const toml::node& value, const FieldDescriptor& field, const std::string& path,
                 Message* message) {
    if (field.is_repeated()) return ReadArray(value, field, path, message);
    ReadEntry(value, field, path, message);
  }

  // A singular field, or one entry of a repeated one.  An entry that is no table leaves an empty
  // message, so that those after it keep their place.
  void ReadEntry(const toml::node& value, const FieldDescriptor& field, const std::string& path,
                 Message* message) {
    if (KindOf(field) != Kind::kTable) {
      return SetField(value, field, path, folder_, message, faults_);
    }
    const auto* reflection = message->GetReflection();
    Message* inner = field.is_repeated() ? reflection->AddMessage(message, &field)
                                         : reflection->MutableMessage(message, &field);
    const toml::table* table = value.as_table();
    if (table == nullptr) {
      return faults_->Add(path, fmt::format("got {}, expected a table", ShowValue(value)));
    }
    ReadTable(*table, path, inner);
  }

  void ReadArray(const toml::node& value, const FieldDescriptor& field, const std::string& path,
                 Message* message) {
    const toml::array* array = value.as_array();
    if (array == nullptr) {
      return faults_->Add(
          path, fmt::format("got {}, expected {}", ShowValue(value), ExpectedArray(field)));
    }
    for (size_t i = 0; i < array->size(); ++i) {
      const toml::node& element = (*array)[i];
      const std::string inner = fmt::format("{}[{}]", path, i);
      faults_->SetLine(inner, static_cast<int>(element.source().begin.line));
      ReadEntry(element, field, inner, message);
    }
  }

  void FillAbsent(const FieldDescriptor& field, const std::string& path, Message* message) {
    const std::string inner = Join(path, field.name());
    if (KindOf(field) == Kind::kTable) {
      if (field.is_repeated()) return;
      return ReadTable({}, inner, message->GetReflection()->MutableMessage(message, &field));
    }
    if (RuleOf(field).required()) {
      return faults_->Add(inner, fmt::format("missing, expected {}", Expected(field)));
    }
    const absl::StatusOr<toml::table> value = Parse("v = " + RuleOf(field).default_value(), inner);
    if (!value.ok()) return faults_->Add(inner, "has no valid default: an error of this program");
    ReadField(*value->get("v"), field, inner, message);
  }

  void RefuseKey(const std::string& path, const std::string& key, const Descriptor& type) {
    if (ComesLater(path)) return faults_->Add(path, "not available in this version");
    std::string hint = DidYouMean(key, FieldNames(type));
    if (hint.empty()) hint = FoundElsewhere(key);
    faults_->Add(path, fmt::format("got an unknown key, expected {}{}",
                                   fmt::join(FieldNames(type), ", "), hint));
  }

  // The key under its right table, when it stands in the wrong one.
  std::string FoundElsewhere(const std::string& key) const {
    for (int i = 0; i < root_.field_count(); ++i) {
      const FieldDescriptor& table = *root_.field(i);
      if (KindOf(table) != Kind::kTable || !table.message_type()->FindFieldByName(key)) continue;
      return table.is_repeated() ? fmt::format("; did you mean '{}' in {}?", key, Heading(table))
                                 : fmt::format("; did you mean '{}.{}'?", table.name(), key);
    }
    return root_.FindFieldByName(key) ? fmt::format("; did you mean '{}' at the top?", key) : "";
  }

  const Descriptor& root_;
  std::filesystem::path folder_;
  Faults* faults_;
  std::vector<std::string> given_;
};

}  // namespace

absl::StatusOr<std::filesystem::path> FolderOf(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(file, error);
  if (!error) return absolute.parent_path();
  return absl::InternalError(fmt::format("no current folder: {}", error.message()));
}

absl::StatusOr<std::vector<std::string>> ReadToml(const std::filesystem::path& file,
                                                  const std::vector<std::string>& overrides,
                                                  Message* message, Faults* faults) {
  LTML_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(file, kLargestFile));
  LTML_ASSIGN_OR_RETURN(std::filesystem::path folder, FolderOf(file));
  LTML_ASSIGN_OR_RETURN(toml::table table, Parse(text, file.string()));
  const Descriptor& root = *message->GetDescriptor();
  for (const std::string& one : overrides) Override(one, root, &table, faults);
  Reader reader(root, std::move(folder), faults);
  reader.ReadTable(table, "", message);
  return reader.given();
}

}  // namespace ltml::config
