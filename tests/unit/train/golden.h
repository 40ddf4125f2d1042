#pragma once

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/files.h"

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

// unit(name) of the golden files: values in [-1, 1) that follow from a name.
inline std::vector<double> Unit(std::string_view name, int64_t count) {
  uint64_t state = 0xcbf29ce484222325;
  for (const char c : name) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    value = static_cast<double>(z >> 40) / (1 << 23) - 1;
  }
  return values;
}

}  // namespace ltml::train
