#pragma once

#include <chrono>

#include "absl/status/statusor.h"
#include "common/base/address.h"
#include "common/base/descriptor.h"

namespace ltml::base {

// A connection to `address`, not blocking.  Unavailable says why there is none, without the
// address: "Connection refused", "no answer within 5 s".  The resolver may take longer than
// `limit`.
absl::StatusOr<Descriptor> ConnectTo(const Address& address, std::chrono::nanoseconds limit);

}  // namespace ltml::base
