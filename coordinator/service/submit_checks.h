#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/details.h"
#include "coordinator/jobs/placement.h"
#include "coordinator/service/job_manager.h"

namespace ltml::service {

using Inspect =
    std::function<absl::StatusOr<DataFacts>(const v1::JobSpec&, std::vector<v1::FieldViolation>*)>;

struct SubmitFacts {
  int classes = 0;
  std::vector<v1::FieldViolation> violations;
};

// Everything that speaks against a job here: the rules of the job file, the pool, the data.
SubmitFacts CheckSubmit(const v1::JobSpec& spec, const std::vector<jobs::HostSlots>& hosts,
                        const Inspect& inspect);

// InvalidArgument that lists all of them, also as details.
absl::Status Refusal(const std::vector<v1::FieldViolation>& violations);

// OK for the same body; AlreadyExists names what differs.
absl::Status CompareSubmit(const v1::SubmitRecord& earlier, const v1::SubmitRequest& now);

}  // namespace ltml::service
