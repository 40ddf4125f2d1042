#include "common/dataset/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ltml::dataset {
namespace {
constexpr size_t kShown = 20;
}

void Faults::Add(int64_t line, std::string text) {
  ++count_;
  const auto later = [](int64_t value, const Fault& fault) { return value < fault.line; };
  const auto place = std::upper_bound(first_.begin(), first_.end(), line, later);
  first_.insert(place, Fault{line, std::move(text)});
  if (first_.size() > kShown) first_.pop_back();
}

absl::Status Faults::ToStatus(std::string_view source) const {
  if (empty()) return absl::OkStatus();
  std::string message;
  for (const Fault& fault : first_) {
    if (!message.empty()) message += '\n';
    message += fault.line > 0 ? fmt::format("{}:{}: {}", source, fault.line, fault.text)
                              : fmt::format("{}: {}", source, fault.text);
  }
  const int64_t hidden = count_ - static_cast<int64_t>(first_.size());
  if (hidden > 0) message += fmt::format("\nand {} more faults", hidden);
  return absl::InvalidArgumentError(message);
}

}  // namespace ltml::dataset
