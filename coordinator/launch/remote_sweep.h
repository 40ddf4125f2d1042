#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "coordinator/launch/identity.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

// Ends the attempt's processes on all of the plan's other hosts at once, and removes its scratch
// folder there.  `spared` is left alone, for an address that is this machine after all.  Waits at
// most 20 s.  The hosts on which it did not succeed, each with the reason; what agents say goes to
// sweep.log in the attempt's folder.
std::vector<std::string> SweepHosts(const v1::LaunchPlan& plan,
                                    const std::filesystem::path& attempt_folder,
                                    const ProcessIdentity& spared);

// `ltml-supervisor --sweep`: the same on this machine.  Whether nothing is left.
bool SweepThisMachine(const std::string& launch_id, const ProcessIdentity& spared);

}  // namespace ltml::launch
