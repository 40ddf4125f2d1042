#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "ltml/v1/run.pb.h"

namespace ltml::launch {

// InvalidArgument unless `address` is a host name or an IPv4 address: letters, digits, dots and
// hyphens, a letter or digit at both ends, at most 253 characters.  So it can be neither an option
// nor part of a shell command.  Pure.
absl::Status CheckAddress(std::string_view address);

// Whether mpirun, run here, takes `address` for its own machine: "localhost", the host's name, or
// an address of one of its interfaces.  A name may be asked of the resolver, which can take
// seconds.
bool IsThisMachine(const std::string& address);

// Addresses of the plan's other hosts, each once.  Pure.
std::vector<std::string> RemoteAddresses(const v1::LaunchPlan& plan);

int RankCount(const v1::LaunchPlan& plan);

// mpirun's host file for the sequential mapper: a line a rank; this machine by `own_name`, because
// mpirun does not find itself under any other.  Pure.
std::string HostFile(const v1::LaunchPlan& plan, const std::string& own_name);

}  // namespace ltml::launch
