#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "ltml/v1/pool_service.pb.h"

namespace ltml::coordinator {

// Has hosts of the pool examined.  Thread-safe.
class HostExaminer {
 public:
  using Done = std::function<void(absl::StatusOr<v1::CheckHostsResponse>)>;
  virtual ~HostExaminer() = default;
  // `done` comes on any thread; a host that does not answer is told as a finding.  NotFound for a
  // name that the pool has not; ResourceExhausted while another examination is under way.
  virtual void Examine(const v1::CheckHostsRequest& request, Done done) = 0;
};

}  // namespace ltml::coordinator
