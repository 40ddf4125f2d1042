#include "cli/connection.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>

#include "common/base/address.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/config/server_config.h"
#include "common/rpc/channel.h"
#include "common/rpc/credentials.h"
#include "common/rpc/details.h"
#include "common/rpc/tls_probe.h"

namespace ltml::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstPause(100);
constexpr std::chrono::seconds kProbeLimit(2);
constexpr std::chrono::milliseconds kProbePause(300);
constexpr char kDefaultServer[] = "127.0.0.1:7610";
constexpr char kRequestId[] = "x-request-id";

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path UserConfig() {
  const std::string own = Variable("XDG_CONFIG_HOME");
  const fs::path folder = own.empty() ? fs::path(Variable("HOME")) / ".config" : fs::path(own);
  return folder / "ltml" / "client.toml";
}

// The client.toml to read; empty for none.
fs::path ConfigFile(const ServerOptions& options) {
  if (!options.config.empty()) return options.config;
  if (const std::string named = Variable("LTML_CONFIG"); !named.empty()) return named;
  std::error_code error;
  const fs::path own = UserConfig();
  return fs::exists(own, error) ? own : fs::path();
}

absl::StatusOr<v1::ClientConfig> ReadConfig(const ServerOptions& options) {
  v1::ClientConfig config;
  config.set_server(kDefaultServer);
  if (const fs::path file = ConfigFile(options); !file.empty()) {
    LTML_ASSIGN_OR_RETURN(config, config::ReadClientConfig(file));
  }
  const std::string named = options.server.empty() ? Variable("LTML_SERVER") : options.server;
  if (!named.empty()) config.set_server(named);
  return config;
}

absl::StatusOr<std::string> ReadIfNamed(const std::string& file) {
  if (file.empty()) return std::string();
  return base::ReadFile(file);
}

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  LTML_ASSIGN_OR_RETURN(std::string token, ReadIfNamed(file));
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back())) != 0) {
    token.pop_back();
  }
  return token;
}

absl::StatusOr<rpc::TlsFiles> ReadTls(const v1::ClientConfig& config) {
  rpc::TlsFiles files;
  if (config.insecure()) return files;
  LTML_ASSIGN_OR_RETURN(files.certificate, ReadIfNamed(config.certificate()));
  LTML_ASSIGN_OR_RETURN(files.key, ReadIfNamed(config.key()));
  LTML_ASSIGN_OR_RETURN(files.authority, ReadIfNamed(config.authority()));
  return files;
}

absl::Status NoConfig(const std::string& server) {
  return absl::NotFoundError(fmt::format(
      "no client.toml for the server at {}: name the one that `ltmld init` or `ltmld user` made "
      "with --config or LTML_CONFIG, or put it at {}",
      server, UserConfig().string()));
}

// The last gRPC object that goes would take gRPC's threads along, which can last for seconds.
void KeepGrpc() {
  static std::once_flag once;
  std::call_once(once, grpc_init);
}

}  // namespace

CLI::App* AddServerCommand(CLI::App& parent, const std::string& name,
                           const std::string& description, const std::string& example,
                           const std::shared_ptr<ServerOptions>& options) {
  CLI::App* command = AddCommand(parent, name, description, example);
  command->add_option("--server", options->server, "HOST:PORT or unix:PATH of the server")
      ->type_name("ADDRESS");
  command->add_option("--config", options->config, "The client.toml to use")->type_name("FILE");
  return command;
}

absl::StatusOr<std::shared_ptr<Connection>> Connection::Open(const ServerOptions& options,
                                                             const Patience& patience) {
  LTML_ASSIGN_OR_RETURN(const v1::ClientConfig config, ReadConfig(options));
  const auto address = base::ParseAddress(config.server());
  if (!address) {
    return absl::InvalidArgumentError(
        fmt::format("--server: got '{}', expected HOST:PORT or unix:PATH", config.server()));
  }
  if (config.authority().empty() && !base::IsLocal(*address)) return NoConfig(config.server());
  LTML_ASSIGN_OR_RETURN(rpc::TlsFiles files, ReadTls(config));
  LTML_ASSIGN_OR_RETURN(const auto credentials, rpc::ClientCredentials(config.server(), files));
  KeepGrpc();
  auto connection = std::shared_ptr<Connection>(new Connection(patience));
  connection->server_ = config.server();
  connection->tls_ = std::move(files);
  LTML_ASSIGN_OR_RETURN(connection->token_, ReadToken(config.token_file()));
  const auto channel =
      grpc::CreateCustomChannel(config.server(), credentials, rpc::ClientArguments());
  connection->jobs_ = v1::JobService::NewStub(channel);
  connection->pool_ = v1::PoolService::NewStub(channel);
  return connection;
}

void Connection::Prepare(grpc::ClientContext& context) const {
  context.AddMetadata(kRequestId, base::RandomToken());
  if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
}

absl::Status Connection::Explain(const grpc::Status& status,
                                 const grpc::ClientContext& context) const {
  absl::Status told = rpc::FromGrpc(status);
  if (told.ok()) return told;
  if (absl::IsUnavailable(told)) LTML_RETURN_IF_ERROR(CheckTls());
  std::string message(told.message());
  if (absl::IsUnavailable(told) || absl::IsDeadlineExceeded(told)) {
    message = fmt::format("the server at {} does not answer: {}; does `ltmld run` run there?",
                          server_, message);
  }
  for (const rpc::Violation& violation : rpc::FieldViolations(told)) {
    message += fmt::format("\n  {}: {}", violation.field, violation.description);
  }
  if (const auto delay = rpc::RetryAfter(told)) {
    message +=
        fmt::format("; try again in {:.1f} s", std::chrono::duration<double>(*delay).count());
  }
  const auto& trailer = context.GetServerTrailingMetadata();
  if (const auto id = trailer.find(kRequestId); id != trailer.end()) {
    message += fmt::format(" (request {})", std::string(id->second.data(), id->second.size()));
  }
  return absl::Status(told.code(), message);
}

absl::Status Connection::CheckTls() const {
  if (tls_.authority.empty()) return absl::OkStatus();
  absl::Status judged = rpc::ProbeTls(server_, tls_, kProbeLimit);
  if (absl::IsUnauthenticated(judged)) {
    // A server that was just ending is gone by then.
    std::this_thread::sleep_for(kProbePause);
    judged = rpc::ProbeTls(server_, tls_, kProbeLimit);
  }
  if (judged.ok()) return judged;
  return absl::Status(judged.code(), fmt::format("the server at {} answers, but {}", server_,
                                                 std::string(judged.message())));
}

absl::Status Connection::RunCall(const Attempt& attempt) const {
  const auto give_up = Clock::now() + patience_.retry;
  for (auto pause = kFirstPause;; pause *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience_.call);
    Prepare(context);
    const grpc::Status status = attempt(&context);
    absl::Status told = Explain(status, context);
    if (!absl::IsUnavailable(told) || Clock::now() + pause > give_up) return told;
    std::this_thread::sleep_for(pause);
  }
}

std::string JobName(const std::string& id) { return id.starts_with("jobs/") ? id : "jobs/" + id; }

}  // namespace ltml::cli
