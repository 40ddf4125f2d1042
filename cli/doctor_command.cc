#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/connection.h"
#include "cli/context.h"
#include "common/base/status_macros.h"

namespace ltml::cli {
namespace {

namespace fs = std::filesystem;

constexpr double kGigabyte = 1e9;
constexpr double kLeastDisk = 1, kLeastSharedMemory = 0.05;
constexpr rlim_t kLeastFiles = 1024;

enum class Grade { kOk, kWarning, kFault };

struct Finding {
  Grade grade;
  std::string what;
  std::string text;  // got, and the cure
};

// The program's path in PATH; empty without.
std::string FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path candidate = fs::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return "";
}

Finding CheckProgram(const std::string& name, const std::string& cure, Grade without) {
  const std::string found = FindProgram(name);
  if (!found.empty()) return {Grade::kOk, name, found};
  return {without, name, fmt::format("not in PATH; {}", cure)};
}

Finding CheckOwnPrograms() {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* name : {"ltml-worker", "ltml-supervisor"}) {
    if (::access((folder / name).c_str(), X_OK) == 0) continue;
    return {Grade::kFault, "programs",
            fmt::format("no {} in {}; build or install all of ltml's programs into one folder",
                        name, folder.string())};
  }
  return {Grade::kOk, "programs", folder.string()};
}

Finding CheckInterfaces() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) {
    return {Grade::kWarning, "network", "the interfaces cannot be listed"};
  }
  std::string names;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    const bool usable = one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET &&
                        (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
    if (usable) names += (names.empty() ? "" : ", ") + std::string(one->ifa_name);
  }
  ::freeifaddrs(all);
  if (!names.empty()) return {Grade::kOk, "network", names};
  return {Grade::kWarning, "network",
          "no interface but loopback has an IPv4 address; ranks run on this machine only"};
}

Finding CheckPort() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound =
      descriptor >= 0 &&
      ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (bound) return {Grade::kOk, "ports", "a TCP port on 127.0.0.1 is free"};
  return {Grade::kFault, "ports",
          "no TCP port on 127.0.0.1 can be taken; is the loopback interface up?"};
}

Finding CheckSpace(const std::string& what, const fs::path& folder, double least) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0 || ::access(folder.c_str(), W_OK) != 0) {
    return {Grade::kFault, what, fmt::format("{} cannot be written", folder.string())};
  }
  const double free =
      static_cast<double>(status.f_bavail) * static_cast<double>(status.f_frsize) / kGigabyte;
  const std::string text = fmt::format("{:.1f} GB free in {}", free, folder.string());
  if (free >= least) return {Grade::kOk, what, text};
  return {Grade::kWarning, what, fmt::format("{}; {:.2g} GB are little, free some", text, least)};
}

Finding CheckFiles() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::string text = fmt::format("{} open files", limit.rlim_cur);
  if (limit.rlim_cur >= kLeastFiles) return {Grade::kOk, "limits", text};
  return {Grade::kWarning, "limits",
          fmt::format("{}; raise them: ulimit -n {}", text, kLeastFiles)};
}

Finding CheckProcessor() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") == 0) {
    return {Grade::kWarning, "processor", "no AVX2: training on it is several times slower"};
  }
#endif
  return {Grade::kOk, "processor", fmt::format("{} cores", ::sysconf(_SC_NPROCESSORS_ONLN))};
}

std::vector<Finding> CheckServer(const ServerOptions& options) {
  const auto connection = Connection::Open(options);
  if (!connection.ok()) {
    return {{Grade::kWarning, "server", std::string(connection.status().message())}};
  }
  const auto answer =
      (*connection)->Call(&v1::PoolService::Stub::ListHosts, v1::ListHostsRequest());
  if (!answer.ok()) {
    return {{Grade::kFault, "server", std::string(answer.status().message())}};
  }
  std::vector<Finding> found = {
      {Grade::kOk, "server",
       fmt::format("{} answers, {} hosts", (*connection)->server(), answer->hosts_size())}};
  for (const v1::Host& host : answer->hosts()) {
    const bool ready = host.state() == v1::Host::STATE_READY;
    found.push_back({ready ? Grade::kOk : Grade::kWarning, "host " + host.name(),
                     fmt::format("{} of {} slots used{}", host.used_slots(), host.slots(),
                                 ready ? "" : "; takes no jobs: " + host.note())});
  }
  return found;
}

std::vector<Finding> Examine(const ServerOptions& options, bool with_server) {
  std::error_code error;
  std::vector<Finding> found = {
      CheckProgram("mpirun", "install openmpi-bin", Grade::kFault),
      CheckProgram("ssh", "install openssh-client to train on several hosts", Grade::kWarning),
      CheckOwnPrograms(),
      CheckInterfaces(),
      CheckPort(),
      CheckSpace("shared memory", "/dev/shm", kLeastSharedMemory),
      CheckSpace("temporary folder", fs::temp_directory_path(error), kLeastDisk),
      CheckSpace("this folder", fs::current_path(error), kLeastDisk),
      CheckFiles(),
      CheckProcessor()};
  if (with_server) {
    for (Finding& finding : CheckServer(options)) found.push_back(std::move(finding));
  }
  return found;
}

const char* GradeText(Grade grade) {
  switch (grade) {
    case Grade::kOk:
      return "ok";
    case Grade::kWarning:
      return "warning";
    default:
      return "fault";
  }
}

bool ServerIsNamed(const ServerOptions& options) {
  return !options.config.empty() || !options.server.empty() ||
         std::getenv("LTML_CONFIG") != nullptr || std::getenv("LTML_SERVER") != nullptr;
}

absl::Status Doctor(const ServerOptions& options) {
  int faults = 0;
  for (const Finding& finding : Examine(options, ServerIsNamed(options))) {
    LTML_RETURN_IF_ERROR(PrintText(
        fmt::format("{:<8}{:<18}{}\n", GradeText(finding.grade), finding.what, finding.text)));
    if (finding.grade == Grade::kFault) ++faults;
  }
  if (faults == 0) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("{} {} would stop a job here", faults, faults == 1 ? "fault" : "faults"));
}

}  // namespace

void AddDoctorCommand(CLI::App& program, Context& context) {
  const auto options = std::make_shared<ServerOptions>();
  CLI::App* command =
      AddServerCommand(program, "doctor", "Tells what would stop a job here, and the cure",
                       "ltml doctor --config pool/client.toml", options);
  command->callback([options, &context] { context.Fail(Doctor(*options)); });
}

}  // namespace ltml::cli
