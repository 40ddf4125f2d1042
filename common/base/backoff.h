#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace ltml::base {

// Pauses between two looks at something that will happen: short at first, longer later, so that who
// waits long leaves the core to others.
class Backoff {
 public:
  explicit Backoff(std::chrono::microseconds longest_nap = std::chrono::microseconds(500))
      : longest_nap_(longest_nap) {}

  void Pause() {
    if (++pauses_ <= kEager) {
      std::this_thread::yield();
      return;
    }
    std::this_thread::sleep_for(nap_);
    nap_ = std::min(nap_ * 2, longest_nap_);
  }

 private:
  static constexpr int kEager = 50;

  const std::chrono::microseconds longest_nap_;
  int pauses_ = 0;
  std::chrono::microseconds nap_{20};
};

}  // namespace ltml::base
