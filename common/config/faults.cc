#include "common/config/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ltml::config {
namespace {

// "a.b[2]" lies in "a.b", that in "a", that in "".
std::string Enclosing(const std::string& path) {
  const size_t cut = path.find_last_of(".[");
  return cut == std::string::npos ? "" : path.substr(0, cut);
}

bool LiesIn(const std::string& path, const std::string& outer) {
  return path.starts_with(outer) &&
         (path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '[');
}

}  // namespace

Faults::Faults(std::string file) : file_(std::move(file)) {}

void Faults::SetLine(const std::string& path, int line) {
  if (line > 0) origins_[path].line = line;
}

void Faults::SetOverride(const std::string& path, const std::string& text) {
  origins_[path].override_text = text;
}

void Faults::Add(std::string path, std::string message) {
  faults_.push_back({std::move(path), std::move(message)});
}

void Faults::AddUntouched(const Faults& others) {
  for (const Fault& fault : others.faults_) {
    if (!Touch(fault.path)) faults_.push_back(fault);
  }
}

bool Faults::Touch(const std::string& path) const {
  return std::ranges::any_of(faults_, [&](const Fault& fault) {
    return LiesIn(fault.path, path) || LiesIn(path, fault.path);
  });
}

std::vector<std::string> Faults::Paths() const {
  std::vector<std::string> paths;
  for (const Fault& fault : faults_) paths.push_back(fault.path.substr(0, fault.path.find('[')));
  return paths;
}

Faults::Origin Faults::Find(std::string path) const {
  while (true) {
    if (const auto found = origins_.find(path); found != origins_.end()) return found->second;
    if (path.empty()) return {};
    path = Enclosing(path);
  }
}

absl::Status Faults::ToStatus() const {
  if (faults_.empty()) return absl::OkStatus();
  std::vector<std::pair<int, std::string>> lines;
  for (const Fault& fault : faults_) {
    const Origin origin = Find(fault.path);
    const bool overridden = !origin.override_text.empty();
    const std::string place = overridden        ? "--set " + origin.override_text
                              : origin.line > 0 ? fmt::format("{}:{}", file_, origin.line)
                                                : file_;
    const int order = overridden ? 1 << 30 : origin.line;
    lines.emplace_back(order, fmt::format("{}: {}: {}", place, fault.path, fault.message));
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [order, line] : lines) text += (text.empty() ? "" : "\n") + line;
  return absl::InvalidArgumentError(text);
}

}  // namespace ltml::config
