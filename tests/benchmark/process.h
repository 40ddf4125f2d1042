#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>

// Figures of the process that runs, for the programs that compare.py starts.
namespace ltml::benchmark {

// A field of /proc/self/status in bytes: "VmRSS" is the memory held, "VmHWM" its peak.
inline int64_t StatusBytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    int64_t kib = 0;
    if (name == field + ":" && status >> kib) return 1024 * kib;
    status.ignore(1 << 16, '\n');
  }
  return 0;
}

// Seconds and further memory, at its peak, of a call.
struct Cost {
  double seconds = 0;
  int64_t memory_bytes = 0;
};
template <typename Call>
Cost Measure(Call&& call) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts from what is held now
  const int64_t before = StatusBytes("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  call();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return {taken.count(), std::max<int64_t>(0, StatusBytes("VmHWM") - before)};
}

// Calls `call` until `seconds` have passed, at least once; calls a second.
template <typename Call>
double Rate(double seconds, Call&& call) {
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> taken = {};
  int64_t calls = 0;
  while (taken.count() < seconds) {
    call();
    ++calls;
    taken = std::chrono::steady_clock::now() - start;
  }
  return static_cast<double>(calls) / taken.count();
}

}  // namespace ltml::benchmark
