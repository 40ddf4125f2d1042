#include "common/safetensors/header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::safetensors {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

template <typename... Args>
absl::Status Bad(fmt::format_string<Args...> format, Args&&... args) {
  return absl::InvalidArgumentError(fmt::format(format, std::forward<Args>(args)...));
}

absl::StatusOr<std::vector<int64_t>> ParseNumbers(std::string_view tensor, std::string_view key,
                                                  element value) {
  array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) {
    return Bad("tensor '{}': {} is no list", tensor, key);
  }
  std::vector<int64_t> numbers;
  for (const element item : list) {
    uint64_t number = 0;
    if (item.get_uint64().get(number) != simdjson::SUCCESS ||
        number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Bad("tensor '{}': {} holds something that is no whole number in [0, 2^63)", tensor,
                 key);
    }
    numbers.push_back(static_cast<int64_t>(number));
  }
  return numbers;
}

absl::StatusOr<Type> ParseType(std::string_view tensor, element value) {
  std::string_view name;
  if (value.get_string().get(name) != simdjson::SUCCESS) {
    return Bad("tensor '{}': dtype is no text", tensor);
  }
  const std::optional<Type> type = TypeFromName(name);
  if (!type) {
    return Bad("tensor '{}': dtype '{}' is none of F64, F32, F16, BF16, I64, I32, U8, BOOL", tensor,
               name);
  }
  return *type;
}

absl::Status SetOffsets(const std::vector<int64_t>& offsets, Entry& entry) {
  if (offsets.size() != 2) {
    return Bad("tensor '{}': data_offsets has {} numbers, not 2", entry.name, offsets.size());
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  return absl::OkStatus();
}

absl::Status ParseField(std::string_view key, element value, Entry& entry) {
  if (key == "dtype") {
    LTML_ASSIGN_OR_RETURN(entry.type, ParseType(entry.name, value));
    return absl::OkStatus();
  }
  if (key == "shape") {
    LTML_ASSIGN_OR_RETURN(entry.shape, ParseNumbers(entry.name, key, value));
    return absl::OkStatus();
  }
  if (key == "data_offsets") {
    LTML_ASSIGN_OR_RETURN(const std::vector<int64_t> offsets, ParseNumbers(entry.name, key, value));
    return SetOffsets(offsets, entry);
  }
  return Bad("tensor '{}': unknown key '{}' beside dtype, shape, data_offsets", entry.name, key);
}

// Fits the range to type and shape.
absl::Status CheckEntry(const Entry& entry) {
  const std::optional<int64_t> bytes = BytesOf(entry.type, entry.shape);
  if (!bytes) {
    return Bad("tensor '{}': shape [{}] is too large", entry.name, fmt::join(entry.shape, ", "));
  }
  if (entry.end < entry.begin || entry.end - entry.begin != *bytes) {
    return Bad("tensor '{}': data_offsets [{}, {}] do not hold the {} bytes of {} [{}]", entry.name,
               entry.begin, entry.end, *bytes, TypeName(entry.type), fmt::join(entry.shape, ", "));
  }
  return absl::OkStatus();
}

absl::StatusOr<Entry> ParseEntry(std::string_view name, element value) {
  Entry entry;
  entry.name = std::string(name);
  object fields;
  if (value.get_object().get(fields) != simdjson::SUCCESS) {
    return Bad("tensor '{}' is no JSON object", name);
  }
  std::vector<std::string_view> seen;
  for (const auto [key, field] : fields) {
    if (std::ranges::count(seen, key) > 0) return Bad("tensor '{}': {} stands twice", name, key);
    seen.push_back(key);
    LTML_RETURN_IF_ERROR(ParseField(key, field, entry));
  }
  if (seen.size() != 3) {
    return Bad("tensor '{}' lacks one of dtype, shape, data_offsets", name);
  }
  LTML_RETURN_IF_ERROR(CheckEntry(entry));
  return entry;
}

absl::Status ParseMetadata(element value, std::map<std::string, std::string>& metadata) {
  object fields;
  if (value.get_object().get(fields) != simdjson::SUCCESS) {
    return Bad("{} is no JSON object", kMetadataKey);
  }
  for (const auto [key, field] : fields) {
    std::string_view text;
    if (field.get_string().get(text) != simdjson::SUCCESS) {
      return Bad("{}: the value of '{}' is no text", kMetadataKey, key);
    }
    metadata[std::string(key)] = std::string(text);
  }
  return absl::OkStatus();
}

absl::Status CheckTiling(std::span<const Entry> entries, int64_t data_bytes) {
  int64_t next = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != next) {
      return Bad("tensor '{}' begins at byte {} of the data, not at {}: the tensors {}", entry.name,
                 entry.begin, next, entry.begin < next ? "overlap" : "leave a hole");
    }
    next = entry.end;
  }
  if (next == data_bytes) return absl::OkStatus();
  return Bad("the tensors end at byte {} of the data, but the file has {}{}", next, data_bytes,
             next > data_bytes ? ": it was cut short" : "");
}

absl::Status CheckNames(std::span<const Entry> entries) {
  std::vector<std::string_view> names;
  for (const Entry& entry : entries) names.push_back(entry.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return absl::OkStatus();
  return Bad("tensor '{}' stands twice", *twice);
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string PrintEntry(const Entry& entry) {
  return fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                     Quoted(entry.name), TypeName(entry.type), fmt::join(entry.shape, ","),
                     entry.begin, entry.end);
}

std::string PrintMetadata(const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> pairs;
  for (const auto& [key, value] : metadata) pairs.push_back(Quoted(key) + ":" + Quoted(value));
  return fmt::format("{}:{{{}}}", Quoted(kMetadataKey), fmt::join(pairs, ","));
}

std::string LittleEndian(uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
  return bytes;
}

}  // namespace

absl::StatusOr<Header> ParseHeader(std::string_view json, int64_t data_bytes) {
  if (!json.starts_with('{')) return Bad("the header does not begin with '{{'");
  simdjson::dom::parser parser;
  object fields;
  const auto error = parser.parse(json.data(), json.size()).get_object().get(fields);
  if (error != simdjson::SUCCESS) {
    return Bad("the header is no JSON object: {}", simdjson::error_message(error));
  }
  Header header;
  bool has_metadata = false;
  for (const auto [name, value] : fields) {
    if (name == kMetadataKey) {
      if (std::exchange(has_metadata, true)) return Bad("{} stands twice", kMetadataKey);
      LTML_RETURN_IF_ERROR(ParseMetadata(value, header.metadata));
      continue;
    }
    LTML_ASSIGN_OR_RETURN(Entry entry, ParseEntry(name, value));
    header.entries.push_back(std::move(entry));
  }
  std::ranges::sort(header.entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  LTML_RETURN_IF_ERROR(CheckNames(header.entries));
  LTML_RETURN_IF_ERROR(CheckTiling(header.entries, data_bytes));
  return header;
}

std::string PrintHeader(const Header& header) {
  std::vector<std::string> parts;
  if (!header.metadata.empty()) parts.push_back(PrintMetadata(header.metadata));
  for (const Entry& entry : header.entries) parts.push_back(PrintEntry(entry));
  std::string json = fmt::format("{{{}}}", fmt::join(parts, ","));
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return LittleEndian(json.size()) + json;
}

}  // namespace ltml::safetensors
