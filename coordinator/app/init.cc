#include "coordinator/app/init.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <initializer_list>
#include <set>
#include <string_view>
#include <system_error>

#include "absl/strings/escaping.h"
#include "common/base/address.h"
#include "common/base/files.h"
#include "common/base/host_name.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/base/token_digest.h"
#include "common/config/server_config.h"
#include "coordinator/security/certificates.h"
#include "coordinator/security/identity.h"

namespace ltml::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kConfig[] = "ltmld.toml";

// A TOML basic string.
std::string Quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// The name also names a folder.
absl::Status CheckUserName(const std::string& name) {
  if (config::IsUserName(name) && name.front() != '.') return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "user name '{}': takes 1 to 64 letters, digits, '-', '_' and '.', and no '.' at its "
      "beginning",
      name));
}

absl::Status SetMode(const fs::path& path, fs::perms mode) {
  std::error_code error;
  fs::permissions(path, mode, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot set the mode of '{}': {}", path.string(), error.message()));
}

absl::Status MakeSecretFolder(const fs::path& folder) {
  LTML_RETURN_IF_ERROR(base::MakeFolder(folder));
  return SetMode(folder, fs::perms::owner_all);
}

absl::Status WriteSecret(const fs::path& file, const std::string& content) {
  LTML_RETURN_IF_ERROR(base::WriteFileAtomically(file, content));
  return SetMode(file, fs::perms::owner_read | fs::perms::owner_write);
}

// What a new user's files are made of.
struct PoolFiles {
  security::Certificate authority;
  std::string server;  // the address that users are told
};

std::string ClientText(const std::string& server, const std::string& credentials) {
  return fmt::format(
      "# How to reach the server: for `ltml --config`, LTML_CONFIG, or as\n"
      "# ~/.config/ltml/client.toml.  Paths start at this file's folder.\n"
      "server = {}\n{}",
      Quoted(server), credentials);
}

std::string CertificateText(const std::string& authority, const std::string& folder) {
  return fmt::format("authority = {}\ncertificate = {}\nkey = {}\n", Quoted(authority),
                     Quoted(folder + "certificate.pem"), Quoted(folder + "key.pem"));
}

// users/NAME/ of one user; returns the sha256 of its token in hexadecimal digits, empty without.
absl::StatusOr<std::string> WriteUser(const fs::path& folder, const PoolFiles& pool,
                                      const NewUser& user) {
  LTML_RETURN_IF_ERROR(MakeSecretFolder(folder));
  LTML_RETURN_IF_ERROR(WriteSecret(folder / "authority.pem", pool.authority.certificate));
  if (user.token) {
    const std::string token = base::RandomToken();
    LTML_RETURN_IF_ERROR(WriteSecret(folder / "token", token + "\n"));
    LTML_RETURN_IF_ERROR(WriteSecret(
        folder / "client.toml",
        ClientText(pool.server, "authority = \"authority.pem\"\ntoken_file = \"token\"\n")));
    return std::string(absl::BytesToHexString(base::TokenDigest(token)));
  }
  LTML_ASSIGN_OR_RETURN(
      const security::Certificate own,
      security::Issue(pool.authority, {.common_name = user.name, .addresses = {}}));
  LTML_RETURN_IF_ERROR(WriteSecret(folder / "certificate.pem", own.certificate));
  LTML_RETURN_IF_ERROR(WriteSecret(folder / "key.pem", own.key));
  LTML_RETURN_IF_ERROR(WriteSecret(folder / "client.toml",
                                   ClientText(pool.server, CertificateText("authority.pem", ""))));
  return std::string();
}

std::string UserText(const NewUser& user, const std::string& digest) {
  std::string text = fmt::format("\n[[users]]\nname = {}\nrole = {}\n", Quoted(user.name),
                                 Quoted(security::RoleName(user.role)));
  if (!digest.empty()) text += fmt::format("token_sha256 = {}\n", Quoted(digest));
  return text;
}

// `addresses`: as in ltmld.toml; empty ones and paths of sockets name nobody.
std::vector<std::string> ServerNames(std::initializer_list<std::string> addresses) {
  std::set<std::string> names = {"localhost", "127.0.0.1", "::1"};
  if (const std::string own = base::HostName(); base::IsHostName(own)) names.insert(own);
  for (const std::string& text : addresses) {
    const auto address = base::ParseAddress(text);
    if (address && !address->host.empty() && !base::IsAnyInterface(*address)) {
      names.insert(address->host);
    }
  }
  return {names.begin(), names.end()};
}

absl::StatusOr<security::Certificate> IssueServer(const security::Certificate& authority,
                                                  std::initializer_list<std::string> addresses) {
  return security::Issue(
      authority, {.common_name = "ltmld", .addresses = ServerNames(addresses), .server = true});
}

// `certificate_file` and the key beside it.
absl::StatusOr<security::Certificate> ReadAuthority(const fs::path& certificate_file) {
  security::Certificate authority;
  LTML_ASSIGN_OR_RETURN(authority.certificate, base::ReadFile(certificate_file));
  LTML_ASSIGN_OR_RETURN(authority.key,
                        base::ReadFile(fs::path(certificate_file).replace_extension(".key")));
  return authority;
}

std::string ConfigText(const InitOptions& options) {
  std::vector<std::string> roots;
  for (const std::string& root : options.data) roots.push_back(Quoted(root));
  return fmt::format(
      R"(# The server of a pool; every key is told in docs/server-config.md.  Paths start at this folder.

# Where users and ranks connect.
listen = {}
# The same address as other hosts see it, where that is another one.
advertise = {}
# Metrics, pages and health.  Off loopback only for users with a token (`ltmld user --token`).
http = {}

[tls]
certificate = "tls/server.pem"
key = "tls/server.key"
authority = "tls/authority.pem"

[paths]
store = "store"
# Run folders of jobs; all hosts see them under this path.
runs = "runs"
# Data sets and weights of jobs lie below these.
data = [{}]

[launch]
# Let mpirun and ranks run as root.
allow_root = {}

# Where jobs run.  Slots are cores on a "cpu" host and GPUs on a "cuda" host.
[[hosts]]
name = "localhost"
slots = {}
device = "cpu"

# Who may use the server; `ltmld user` adds more.
)",
      Quoted(options.listen), Quoted(options.advertise), Quoted(options.http),
      fmt::join(roots, ", "), options.allow_root, options.slots);
}

absl::Status WritePool(const fs::path& folder, const InitOptions& options) {
  LTML_RETURN_IF_ERROR(MakeSecretFolder(folder));
  LTML_RETURN_IF_ERROR(MakeSecretFolder(folder / "tls"));
  PoolFiles pool;
  LTML_ASSIGN_OR_RETURN(pool.authority, security::MakeAuthority("ltml pool authority"));
  pool.server = options.advertise.empty() ? options.listen : options.advertise;
  LTML_ASSIGN_OR_RETURN(
      const security::Certificate server,
      IssueServer(pool.authority, {options.listen, options.advertise, options.http}));
  const std::pair<const char*, const std::string&> files[] = {
      {"authority.pem", pool.authority.certificate},
      {"authority.key", pool.authority.key},
      {"server.pem", server.certificate},
      {"server.key", server.key}};
  for (const auto& [name, content] : files) {
    LTML_RETURN_IF_ERROR(WriteSecret(folder / "tls" / name, content));
  }
  const NewUser user{.name = options.user, .role = v1::ServerUser::ROLE_ADMIN};
  LTML_RETURN_IF_ERROR(WriteUser(folder / "users" / user.name, pool, user).status());
  LTML_RETURN_IF_ERROR(WriteSecret(
      folder / "client.toml",
      ClientText(pool.server,
                 CertificateText("tls/authority.pem", fmt::format("users/{}/", user.name)))));
  return WriteSecret(folder / kConfig, ConfigText(options) + UserText(user, ""));
}

// The first user has a certificate, which HTTP does not ask for.
absl::Status CheckHttp(const std::string& http) {
  const auto address = base::ParseAddress(http);
  if (http.empty() || base::IsLocal(*address)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--http '{}' is off loopback, which needs a user with a token: make the pool "
                  "without, add one "
                  "with `ltmld user DIR NAME --token`, then set http in ltmld.toml",
                  http));
}

absl::Status CheckOptions(const InitOptions& options) {
  LTML_RETURN_IF_ERROR(CheckUserName(options.user));
  for (const std::string* text : {&options.listen, &options.advertise, &options.http}) {
    if (text->empty() && text != &options.listen) continue;
    if (!base::ParseAddress(*text)) {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is no address: expected HOST:PORT, as in 127.0.0.1:7610", *text));
    }
  }
  LTML_RETURN_IF_ERROR(CheckHttp(options.http));
  std::error_code error;
  if (!fs::exists(options.folder, error) || fs::is_empty(options.folder, error)) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      fmt::format("'{}' is not empty; name a new folder, or start the server that is there with "
                  "`ltmld run {}`",
                  options.folder.string(), options.folder.string()));
}

absl::Status MoveInto(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("cannot move '{}' to '{}': {}", from.string(), to.string(), error.message()));
}

}  // namespace

absl::Status InitServer(const InitOptions& options) {
  LTML_RETURN_IF_ERROR(CheckOptions(options));
  const fs::path folder = fs::absolute(options.folder).lexically_normal();
  fs::path draft = folder.has_filename() ? folder : folder.parent_path();
  draft.replace_filename(
      fmt::format(".{}.init-{}", draft.filename().string(), base::RandomToken().substr(0, 8)));
  absl::Status status = WritePool(draft, options);
  if (status.ok()) status = MoveInto(draft, folder);
  std::error_code ignored;
  fs::remove_all(draft, ignored);
  return status;
}

absl::Status AddUser(const fs::path& folder, const NewUser& user) {
  LTML_RETURN_IF_ERROR(CheckUserName(user.name));
  LTML_ASSIGN_OR_RETURN(const v1::ServerConfig config, config::ReadServerConfig(folder / kConfig));
  for (const v1::ServerUser& known : config.users()) {
    if (known.name() != user.name) continue;
    return absl::AlreadyExistsError(
        fmt::format("'{}' has a user {} already; take that table out first, or choose another name",
                    (folder / kConfig).string(), user.name));
  }
  PoolFiles pool;
  pool.server = config.advertise().empty() ? config.listen() : config.advertise();
  if (user.token) {
    LTML_ASSIGN_OR_RETURN(pool.authority.certificate, base::ReadFile(config.tls().authority()));
  } else {
    LTML_ASSIGN_OR_RETURN(pool.authority, ReadAuthority(config.tls().authority()));
  }
  LTML_ASSIGN_OR_RETURN(const std::string digest,
                        WriteUser(folder / "users" / user.name, pool, user));
  LTML_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(folder / kConfig));
  return WriteSecret(folder / kConfig, text + UserText(user, digest));
}

absl::Status RenewServer(const fs::path& folder) {
  LTML_ASSIGN_OR_RETURN(const v1::ServerConfig config, config::ReadServerConfig(folder / kConfig));
  LTML_ASSIGN_OR_RETURN(const security::Certificate authority,
                        ReadAuthority(config.tls().authority()));
  LTML_ASSIGN_OR_RETURN(
      const security::Certificate server,
      IssueServer(authority, {config.listen(), config.advertise(), config.http()}));
  LTML_RETURN_IF_ERROR(WriteSecret(config.tls().key(), server.key));
  return WriteSecret(config.tls().certificate(), server.certificate);
}

}  // namespace ltml::coordinator
