#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/dataset/json.h"
#include "common/dataset/reader.h"

namespace ltml::dataset {
namespace {

constexpr std::string_view kExpected = R"({"image": "PATH", "labels": ["NAME", ...]})";
constexpr int64_t kLimitBytes = int64_t{1} << 36;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view Trim(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r";
  const size_t begin = line.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return line.substr(begin, line.find_last_not_of(kSpace) - begin + 1);
}

// Reads one line into a record; faults name the line.
class LineReader {
 public:
  LineReader(const std::filesystem::path& images, Faults& faults)
      : images_(images), faults_(faults) {}

  std::optional<Record> Read(std::string_view text, int64_t line) {
    line_ = line;
    whole_ = true;
    simdjson::dom::element element;
    if (const auto error = parser_.Parse(text, &element); error != simdjson::SUCCESS) {
      Fault(fmt::format("the line is {}; expected {}", Describe(error), kExpected));
      return std::nullopt;
    }
    simdjson::dom::object object;
    if (element.get(object) != simdjson::SUCCESS) {
      Fault(fmt::format("the line is {}; expected {}", TypeName(element), kExpected));
      return std::nullopt;
    }
    return ReadObject(object);
  }

 private:
  void Fault(std::string text) {
    whole_ = false;
    faults_.Add(line_, std::move(text));
  }

  std::optional<Record> ReadObject(const simdjson::dom::object& object) {
    Record record;
    record.line = line_;
    bool has_image = false, has_labels = false;
    for (const auto [key, value] : object) {
      bool* seen = key == "image" ? &has_image : key == "labels" ? &has_labels : nullptr;
      if (seen == nullptr) {
        Fault(fmt::format("unknown key {}; a line has 'image' and 'labels' only", Quoted(key)));
      } else if (std::exchange(*seen, true)) {
        Fault(fmt::format("the key '{}' stands twice; remove one", key));
      } else if (seen == &has_image) {
        ReadImage(value, record);
      } else {
        ReadLabels(value, record);
      }
    }
    if (!has_image) Fault(fmt::format("the key 'image' is missing; expected {}", kExpected));
    if (!has_labels) {
      Fault("the key 'labels' is missing; an image without a label has \"labels\": []");
    }
    if (!whole_) return std::nullopt;
    return record;
  }

  void ReadImage(const simdjson::dom::element& value, Record& record) {
    std::string_view name;
    if (value.get(name) != simdjson::SUCCESS) {
      return Fault(fmt::format("'image' is {}, expected the path as a string", TypeName(value)));
    }
    record.name = name;
    record.file = images_ / record.name;
  }

  void ReadLabels(const simdjson::dom::element& value, Record& record) {
    simdjson::dom::array labels;
    if (value.get(labels) != simdjson::SUCCESS) {
      return Fault(fmt::format("'labels' is {}, expected a list of names", TypeName(value)));
    }
    for (const simdjson::dom::element item : labels) {
      std::string_view label;
      if (item.get(label) != simdjson::SUCCESS) {
        return Fault(fmt::format("a label is {}, expected a name as a string", TypeName(item)));
      }
      record.labels.emplace_back(label);
    }
  }

  const std::filesystem::path& images_;
  Faults& faults_;
  JsonParser parser_;
  int64_t line_ = 0;
  bool whole_ = true;
};

class JsonlReader : public Reader {
 public:
  JsonlReader(std::filesystem::path list, std::filesystem::path images)
      : list_(std::move(list)), images_(std::move(images)) {}

  absl::StatusOr<Listing> Read(Faults& faults) const override {
    LTML_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(list_, kLimitBytes));
    std::string_view rest = content;
    if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
    Listing listing;
    listing.root = images_;
    LineReader reader(images_, faults);
    for (int64_t line = 1; !rest.empty(); ++line) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view text = Trim(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (text.empty()) continue;
      if (auto record = reader.Read(text, line)) listing.records.push_back(*std::move(record));
    }
    if (listing.records.empty() && faults.empty()) {
      faults.Add(0, fmt::format("the list has no images; expected lines {}", kExpected));
    }
    return listing;
  }

 private:
  std::filesystem::path list_;
  std::filesystem::path images_;
};

}  // namespace

std::unique_ptr<Reader> MakeJsonlReader(std::filesystem::path list, std::filesystem::path images) {
  return std::make_unique<JsonlReader>(std::move(list), std::move(images));
}

}  // namespace ltml::dataset
