#include "common/examine/programs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <system_error>

#include "common/base/log.h"
#include "common/base/system.h"
#include "common/examine/finding.h"
#include "common/process/run.h"

namespace ltml::examine {
namespace {

namespace fs = std::filesystem;

// For a program to say who it is; the first start of ltml-worker reads Torch from the disk.
constexpr std::chrono::seconds kVersionLimit(5), kWorkerLimit(10);
// Open MPI calls itself by the first name where it is called mpirun, by the second elsewhere.
constexpr std::array kOpenMpi = {std::string_view("(Open MPI) "), std::string_view("(OpenRTE) ")};
constexpr char kInstall[] = "install openmpi-bin";

process::Answer Run(const std::string& program, const char* option, std::chrono::seconds limit) {
  return process::RunAtOnce({{{program, option}, base::OwnEnvironment()}}, {.time = limit})[0];
}

// Debian's `mpirun` may be another MPI's.
std::string FindMpirun() {
  const std::string own = FindProgram("mpirun.openmpi");
  return own.empty() ? FindProgram("mpirun") : own;
}

// Of "mpirun (Open MPI) 4.1.4".
std::string VersionIn(std::string_view text) {
  for (const std::string_view name : kOpenMpi) {
    const size_t start = text.find(name);
    if (start == text.npos) continue;
    text.remove_prefix(start + name.size());
    return std::string(text.substr(0, text.find_first_of(" \n")));
  }
  return "";
}

std::string VersionOf(const std::string& mpirun) {
  return VersionIn(Run(mpirun, "--version", kVersionLimit).output);
}

}  // namespace

std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return "";
}

std::string OpenMpiVersion() {
  const std::string mpirun = FindMpirun();
  return mpirun.empty() ? "" : VersionOf(mpirun);
}

v1::Finding CheckOpenMpi(const std::string& expected) {
  const std::string mpirun = FindMpirun();
  if (mpirun.empty()) return Fault("mpirun", "not in PATH", kInstall);
  const std::string version = VersionOf(mpirun);
  if (version.empty()) {
    return Fault("mpirun", fmt::format("{} is not Open MPI's", mpirun), kInstall);
  }
  if (FindProgram("orted").empty()) {
    return Fault("mpirun", fmt::format("Open MPI {} without orted in PATH", version), kInstall);
  }
  const std::string found = fmt::format("Open MPI {}, {}", version, mpirun);
  if (expected.empty() || version == expected) return Ok("mpirun", found);
  return Fault("mpirun", fmt::format("{}; the server has {}", found, expected),
               "install the same version of Open MPI on all hosts");
}

v1::Finding CheckSsh() {
  const std::string found = FindProgram("ssh");
  if (!found.empty()) return Ok("ssh", found);
  return Warning("ssh", "not in PATH", "install openssh-client to train on several hosts");
}

v1::Finding CheckPrograms(const fs::path& folder) {
  constexpr char kCure[] = "build or install all of ltml's programs into one folder";
  for (const char* name : {"ltml-worker", "ltml-supervisor"}) {
    if (::access((folder / name).c_str(), X_OK) == 0) continue;
    return Fault("programs", fmt::format("no {} in {}", name, folder.string()), kCure);
  }
  const process::Answer worker = Run((folder / "ltml-worker").string(), "--help", kWorkerLimit);
  if (worker.succeeded()) return Ok("programs", folder.string());
  const std::string why = !worker.status.ok()     ? std::string(worker.status.message())
                          : worker.errors.empty() ? fmt::format("status {}", worker.exit_status)
                                                  : worker.errors;
  return Fault("programs",
               fmt::format("{}/ltml-worker does not run: {}", folder.string(), base::LogValue(why)),
               "install what it needs: scripts/setup lists it");
}

fs::path OwnFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace ltml::examine
