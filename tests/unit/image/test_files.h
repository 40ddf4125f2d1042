#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/image/image.h"
#include "gtest/gtest.h"
#include "simdjson.h"

namespace ltml::image {

inline const std::filesystem::path kGolden =
    std::filesystem::path(LTML_SOURCE_DIR) / "tests/golden";
inline const std::filesystem::path kHostile =
    std::filesystem::path(LTML_SOURCE_DIR) / "tests/data/hostile";

inline std::string ReadOrFail(const std::filesystem::path& file) {
  auto content = base::ReadFile(file);
  EXPECT_TRUE(content.ok()) << content.status();
  return content.ok() ? *content : std::string();
}

inline std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::vector<uint8_t> Uint8s(simdjson::dom::element array) {
  std::vector<uint8_t> values;
  for (const int64_t value : array.get_array()) values.push_back(static_cast<uint8_t>(value));
  return values;
}

}  // namespace ltml::image
