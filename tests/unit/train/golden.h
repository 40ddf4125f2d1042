#pragma once

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "tests/unit/train/unit.h"

namespace ltml::train {

// A JSON value of a golden file, read by key and index.
class Golden {
 public:
  static Golden Read(const std::string& name) {
    const auto text = base::ReadFile(std::filesystem::path(LTML_SOURCE_DIR "/tests/golden") / name);
    if (!text.ok()) throw std::runtime_error(std::string(text.status().message()));
    Golden golden;
    const auto status = google::protobuf::util::JsonStringToMessage(*text, &golden.value_);
    if (!status.ok()) throw std::runtime_error(status.ToString());
    return golden;
  }

  bool Has(const std::string& key) const { return fields().contains(key); }
  Golden operator[](const std::string& key) const {
    if (!Has(key)) throw std::runtime_error("no key " + key);
    return Golden(fields().at(key));
  }
  double number() const { return value_.number_value(); }
  double NumberOr(const std::string& key, double other) const {
    return Has(key) ? (*this)[key].number() : other;
  }
  bool is_null() const { return value_.kind_case() == google::protobuf::Value::kNullValue; }
  bool boolean() const { return value_.bool_value(); }
  const std::string& text() const { return value_.string_value(); }
  std::vector<Golden> items() const {
    std::vector<Golden> items;
    for (const auto& value : value_.list_value().values()) items.push_back(Golden(value));
    return items;
  }
  std::vector<double> numbers() const {
    std::vector<double> numbers;
    for (const auto& value : value_.list_value().values()) numbers.push_back(value.number_value());
    return numbers;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : fields()) keys.push_back(key);
    return keys;
  }

 private:
  Golden() = default;
  explicit Golden(google::protobuf::Value value) : value_(std::move(value)) {}
  const google::protobuf::Map<std::string, google::protobuf::Value>& fields() const {
    return value_.struct_value().fields();
  }
  google::protobuf::Value value_;
};

}  // namespace ltml::train
