#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "ltml/v1/report.pb.h"

namespace ltml::view {

// Reads lines of metrics.jsonl as protobuf writes them, about 1 us each: a long run has 100,000.
// Not thread-safe.
class StepLineParser {
 public:
  StepLineParser();
  ~StepLineParser();
  // nullopt for what is no such line.
  std::optional<v1::StepMetrics> Parse(std::string_view line);

 private:
  struct Json;
  std::unique_ptr<Json> json_;
};

}  // namespace ltml::view
