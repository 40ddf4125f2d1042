#pragma once

#include <utility>

#include "absl/status/status.h"

namespace ltml::model {

// The exception in flight as a status: a failed allocation is ResourceExhausted, everything else
// Internal.  Call only in a catch block.
absl::Status StatusOfException();

// Runs `body`, whose exceptions become its status.
template <typename Body>
auto CatchTorch(Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return StatusOfException();
  }
}

}  // namespace ltml::model
