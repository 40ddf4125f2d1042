#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/view/words.h"
#include "ltml/v1/job_service.pb.h"
#include "ltml/v1/pool_service.pb.h"

namespace ltml::cli {

using view::StateText;

// How service commands show jobs, their events and hosts to people.
std::string JobTable(const std::vector<v1::Job>& jobs, std::chrono::system_clock::time_point now,
                     bool colour);
std::string JobText(const v1::Job& job, std::chrono::system_clock::time_point now);
std::string EventText(const v1::JobEvent& event);
// One line: "running, step 120 / 480 (25 %), 340 images/s, loss 0.1234 (...), mAP % ..., 5 s left".
std::string LiveText(const v1::Job& job, double seconds_left);
std::string HostTable(const std::vector<v1::Host>& hosts, bool colour);

// What a command that waits for a job returns: OK when it succeeded, Internal (exit code 1) with
// the reason when it failed or was cancelled.
absl::Status OutcomeOf(const v1::Job& job);

}  // namespace ltml::cli
