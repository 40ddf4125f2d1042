#pragma once

#include <chrono>
#include <string>

#include "ltml/v1/job_service.pb.h"

namespace ltml::view {

// How jobs are told to people, on pages as in the terminal.

// "ID" of "jobs/ID".
std::string IdOf(const v1::Job& job);
// "running", "stopping (paused next)".
std::string StateText(const v1::Job& job);
// "a rank was lost".
std::string CauseText(v1::FailureCause cause);
// "a rank was lost (rank 1 on node-a at step 12): message".
std::string FailureText(const v1::Failure& failure);
// "node-a (2 ranks), node-b (1 rank)".
std::string PlacementText(const google::protobuf::RepeatedPtrField<v1::Placement>& placements);
// "2026-01-02 03:04:05 UTC".
std::string UtcText(const google::protobuf::Timestamp& time);
// How long ago: "12 s", "3 min 05 s".
std::string AgeText(const google::protobuf::Timestamp& time,
                    std::chrono::system_clock::time_point now);

}  // namespace ltml::view
