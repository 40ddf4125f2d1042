#include "common/config/server_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>
#include <system_error>

#include "common/base/address.h"
#include "common/base/host_name.h"
#include "common/base/network.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "common/config/faults.h"
#include "common/config/toml_reader.h"

namespace ltml::config {
namespace {

constexpr size_t kLongestUser = 64;
constexpr size_t kLongestSocket = 107;  // unix(7): sun_path without its final zero
constexpr std::string_view kUnix = "unix:";

bool Allowed(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) != 0 || others.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

void CheckAddress(const std::string& path, const std::string& text, Faults& faults) {
  const auto address = base::ParseAddress(text);
  if (!address) {
    faults.Add(path, fmt::format("got {:?}, expected HOST:PORT or unix:PATH, as in "
                                 "\"127.0.0.1:7610\"",
                                 text));
  } else if (address->path.size() > kLongestSocket) {
    faults.Add(path, fmt::format("got {:?}, a path of {} bytes, expected at most {}: the kernel "
                                 "takes no longer ones; put the socket into another folder, as in "
                                 "\"unix:/run/ltmld/socket\"",
                                 text, address->path.size(), kLongestSocket));
  }
}

// As all paths of a file, that of a socket starts at the file's folder.
void PlaceSocket(const std::filesystem::path& folder, std::string* address) {
  if (!address->starts_with(kUnix) || *address == kUnix) return;
  const std::filesystem::path path = address->substr(kUnix.size());
  *address = fmt::format("{}{}", kUnix, (folder / path).lexically_normal().string());
}

bool IsLocalText(const std::string& text) {
  const auto address = base::ParseAddress(text);
  return address && base::IsLocal(*address);
}

void CheckListener(const v1::ServerConfig& config, Faults& faults) {
  CheckAddress("listen", config.listen(), faults);
  if (!config.advertise().empty()) CheckAddress("advertise", config.advertise(), faults);
  if (config.insecure() && !IsLocalText(config.listen())) {
    faults.Add("insecure",
               fmt::format("got true with listen = {:?}, expected a Unix socket or loopback: "
                           "tokens must not cross a network in plaintext",
                           config.listen()));
  }
  const auto told =
      base::ParseAddress(config.advertise().empty() ? config.listen() : config.advertise());
  if (told && base::IsAnyInterface(*told)) {
    faults.Add(config.advertise().empty() ? "listen" : "advertise",
               "nobody can connect to this address: name one in `advertise` by which ranks and "
               "users reach this machine");
  }
}

bool HasToken(const v1::ServerConfig& config) {
  return std::ranges::any_of(
      config.users(), [](const v1::ServerUser& user) { return !user.token_sha256().empty(); });
}

void CheckHttp(const v1::ServerConfig& config, Faults& faults) {
  if (config.http().empty()) return;
  const auto address = base::ParseAddress(config.http());
  if (!address || !address->path.empty() || address->host.find(':') != std::string::npos) {
    faults.Add("http", fmt::format("got {:?}, expected an IPv4 address and a port, as in "
                                   "\"127.0.0.1:7611\"",
                                   config.http()));
  } else if (!base::IsLocal(*address) && config.insecure()) {
    faults.Add("http",
               fmt::format("got {:?} with insecure = true, expected loopback: pages must not "
                           "cross a network in plaintext",
                           config.http()));
  } else if (!base::IsLocal(*address) && !HasToken(config)) {
    faults.Add("http", fmt::format("got {:?} and no user with a token, expected loopback or such a "
                                   "user: `ltmld user DIR NAME --role viewer --token` makes one",
                                   config.http()));
  }
}

void CheckFile(const std::string& path, const std::string& file, Faults& faults) {
  std::error_code error;
  if (file.empty()) {
    faults.Add(path,
               "missing, expected a PEM file; `ltmld init` makes them, and insecure = true "
               "serves a Unix socket or loopback without");
  } else if (!std::filesystem::is_regular_file(file, error)) {
    faults.Add(path, fmt::format("got {:?}, expected a file that exists", file));
  }
}

void CheckTls(const v1::ServerConfig& config, Faults& faults) {
  if (config.insecure()) return;
  CheckFile("tls.certificate", config.tls().certificate(), faults);
  CheckFile("tls.key", config.tls().key(), faults);
  CheckFile("tls.authority", config.tls().authority(), faults);
}

void CheckFolder(const std::string& path, const std::string& folder, std::string_view example,
                 Faults& faults) {
  if (!folder.empty()) return;
  faults.Add(path, fmt::format("got \"\", expected a folder, as in {:?}; without the key it is "
                               "that one",
                               example));
}

void CheckPaths(const v1::ServerConfig& config, Faults& faults) {
  CheckFolder("paths.store", config.paths().store(), "store", faults);
  CheckFolder("paths.runs", config.paths().runs(), "runs", faults);
  const auto& roots = config.paths().data();
  if (roots.empty()) {
    faults.Add("paths.data", "got no folder, expected at least one below which jobs may read");
  }
  for (int i = 0; i < roots.size(); ++i) {
    std::error_code error;
    if (std::filesystem::is_directory(roots[i], error)) continue;
    faults.Add(fmt::format("paths.data[{}]", i),
               fmt::format("got {:?}, expected a folder that exists", roots[i]));
  }
}

bool IsHarmlessVariable(const std::string& name) {
  const bool identifier =
      !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 && Allowed(name, "_");
  return identifier &&
         std::ranges::none_of(
             std::initializer_list<const char*>{"OMPI_", "PMIX_", "PRTE_", "LD_", "LTML_"},
             [&](const char* prefix) { return name.starts_with(prefix); });
}

void CheckLaunch(const v1::ServerConfig& config, Faults& faults) {
  const v1::ServerLaunch& launch = config.launch();
  for (int i = 0; i < launch.interfaces_size(); ++i) {
    const std::string& text = launch.interfaces(i);
    if (base::IsInterfaceName(text) || base::ParseNetwork(text)) continue;
    faults.Add(fmt::format("launch.interfaces[{}]", i),
               fmt::format("got {:?}, expected the name of an interface or an IPv4 network, as in "
                           "\"eth1\" or \"10.0.0.0/8\"; `ip -4 -brief address` lists both",
                           text));
  }
  for (int i = 0; i < launch.environment_size(); ++i) {
    if (IsHarmlessVariable(launch.environment(i))) continue;
    faults.Add(fmt::format("launch.environment[{}]", i),
               fmt::format("got {:?}, expected the name of a variable, and none of OMPI_*, PMIX_*, "
                           "PRTE_*, LD_*, LTML_*",
                           launch.environment(i)));
  }
}

void CheckUsers(const v1::ServerConfig& config, Faults& faults) {
  std::set<std::string> names;
  for (int i = 0; i < config.users_size(); ++i) {
    const v1::ServerUser& user = config.users(i);
    const std::string path = fmt::format("users[{}].", i);
    if (!IsUserName(user.name())) {
      faults.Add(path + "name", fmt::format("got {:?}, expected 1 to {} letters, digits, '-', '_' "
                                            "and '.'",
                                            user.name(), kLongestUser));
    } else if (!names.insert(user.name()).second) {
      faults.Add(path + "name",
                 fmt::format("got {:?} once more, expected every name once", user.name()));
    }
    const std::string& digest = user.token_sha256();
    if (!digest.empty() && !base::IsDigestText(digest)) {
      faults.Add(path + "token_sha256",
                 "expected a sha256 of 64 lower-case hexadecimal digits: printf %s TOKEN | "
                 "sha256sum");
    }
  }
  if (!config.insecure() && config.users_size() == 0) {
    faults.Add("users", "got none, expected at least one user; `ltmld init` makes the first");
  }
}

void CheckHosts(const v1::ServerConfig& config, Faults& faults) {
  std::set<std::string> names;
  bool others = false;
  for (int i = 0; i < config.hosts_size(); ++i) {
    const v1::ServerHost& host = config.hosts(i);
    const std::string path = fmt::format("hosts[{}].", i);
    if (!base::IsHostName(host.name())) {
      faults.Add(path + "name",
                 fmt::format("got {:?}, expected letters, digits, '-' and '.'", host.name()));
    } else if (!names.insert(host.name()).second) {
      faults.Add(path + "name",
                 fmt::format("got {:?} once more, expected every name once", host.name()));
    }
    if (!host.address().empty() && !base::IsHostName(host.address())) {
      faults.Add(path + "address",
                 fmt::format("got {:?}, expected a host name or an IPv4 address", host.address()));
    }
    others = others || (host.address().empty() ? host.name() : host.address()) != "localhost";
  }
  if (config.hosts_size() == 0) faults.Add("hosts", "got none, expected at least one host");
  if (others && config.launch().agent_size() == 0) {
    faults.Add("launch.agent", "got no program, expected one that starts commands on other hosts");
  }
  const std::string& told = config.advertise().empty() ? config.listen() : config.advertise();
  if (others && IsLocalText(told)) {
    faults.Add(config.advertise().empty() ? "listen" : "advertise",
               fmt::format("got {:?}, which ranks on hosts other than \"localhost\" cannot reach: "
                           "give an address of this machine",
                           told));
  }
}

absl::Status CheckServer(const v1::ServerConfig& config, Faults& faults) {
  for (const auto check :
       {CheckListener, CheckHttp, CheckTls, CheckPaths, CheckLaunch, CheckUsers, CheckHosts}) {
    Faults found("");
    check(config, found);
    faults.AddUntouched(found);
  }
  return faults.ToStatus();
}

absl::Status WithCure(const absl::Status& status, std::string_view cure) {
  if (!absl::IsNotFound(status)) return status;
  return absl::NotFoundError(fmt::format("{}; {}", std::string(status.message()), cure));
}

}  // namespace

bool IsUserName(const std::string& name) {
  return !name.empty() && name.size() <= kLongestUser && Allowed(name, "-_.");
}

absl::StatusOr<v1::ServerConfig> ReadServerConfig(const std::filesystem::path& file) {
  v1::ServerConfig config;
  Faults faults(file.string());
  LTML_RETURN_IF_ERROR(WithCure(ReadToml(file, {}, &config, &faults).status(),
                                "`ltmld init DIR` makes a folder with one"));
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path folder, FolderOf(file));
  PlaceSocket(folder, config.mutable_listen());
  PlaceSocket(folder, config.mutable_advertise());
  LTML_RETURN_IF_ERROR(CheckServer(config, faults));
  return config;
}

absl::StatusOr<v1::ClientConfig> ReadClientConfig(const std::filesystem::path& file) {
  v1::ClientConfig config;
  Faults faults(file.string());
  LTML_RETURN_IF_ERROR(WithCure(ReadToml(file, {}, &config, &faults).status(),
                                "take the client.toml that `ltmld init` or `ltmld user` made"));
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path folder, FolderOf(file));
  PlaceSocket(folder, config.mutable_server());
  Faults found("");
  CheckAddress("server", config.server(), found);
  if (config.certificate().empty() != config.key().empty()) {
    found.Add(config.key().empty() ? "key" : "certificate",
              "missing: a certificate needs its key, and a key its certificate");
  }
  if (config.insecure() && !IsLocalText(config.server())) {
    found.Add("insecure", fmt::format("got true with server = {:?}, expected a Unix socket or "
                                      "loopback",
                                      config.server()));
  }
  if (!config.insecure() && config.authority().empty()) {
    found.Add("authority",
              "missing, expected the PEM file of the authority that signed the "
              "server's certificate");
  }
  faults.AddUntouched(found);
  LTML_RETURN_IF_ERROR(faults.ToStatus());
  return config;
}

}  // namespace ltml::config
