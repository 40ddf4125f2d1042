#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/safetensors/safetensors.h"

namespace ltml::safetensors {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMostHeaderBytes = 100'000'000;
constexpr std::string_view kMetadataKey = "__metadata__";

// One entry of a header: the tensor's place in the data that follow it.
struct Entry {
  std::string name;
  Type type = Type::kFloat32;
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0;
};

struct Header {
  std::vector<Entry> entries;  // in order of the data
  std::map<std::string, std::string> metadata;
};

// Reads a JSON header whose tensors must tile `data_bytes` exactly.  InvalidArgument names the
// tensor and what is wrong.
absl::StatusOr<Header> ParseHeader(std::string_view json, int64_t data_bytes);

// The length and JSON of a header, padded with spaces to a multiple of 8 bytes.
std::string PrintHeader(const Header& header);

}  // namespace ltml::safetensors
