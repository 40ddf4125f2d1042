#pragma once

#include <filesystem>
#include <string>

#include "ltml/v1/examination.pb.h"

namespace ltml::examine {

// The program's path in PATH; empty without.
std::string FindProgram(const std::string& name);

// Of the mpirun that runs jobs here, as in "4.1.4"; empty when there is none, it is not Open MPI's,
// or it says nothing for 5 s.
std::string OpenMpiVersion();

// mpirun is there and, unless `expected` is empty, of that version; `orted`, with which another
// host's mpirun starts ranks here, is there.
v1::Finding CheckOpenMpi(const std::string& expected);

// ssh is there; without it ranks run on this machine only.
v1::Finding CheckSsh();

// ltml-supervisor and ltml-worker are in `folder`, and the worker finds its libraries.
v1::Finding CheckPrograms(const std::filesystem::path& folder);

// The folder of the program that runs.
std::filesystem::path OwnFolder();

}  // namespace ltml::examine
