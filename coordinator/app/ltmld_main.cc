#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pwd.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/address.h"
#include "common/base/exit_code.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/config/server_config.h"
#include "coordinator/app/init.h"
#include "coordinator/app/server.h"

namespace ltml::coordinator {
namespace {

namespace fs = std::filesystem;

// From SIGTERM to the end, whatever hangs.
constexpr unsigned kDrainSeconds = 10;

// Signals are taken by sigwait alone; threads that start later inherit the mask.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

base::LogLevel LevelOf(const v1::ServerLog& log) {
  switch (log.level()) {
    case v1::ServerLog::LEVEL_DEBUG:
      return base::LogLevel::kDebug;
    case v1::ServerLog::LEVEL_WARNING:
      return base::LogLevel::kWarning;
    case v1::ServerLog::LEVEL_ERROR:
      return base::LogLevel::kError;
    default:
      return base::LogLevel::kInfo;
  }
}

// SIGHUP: the level of the log alone; a file with a fault changes nothing.
void ReadLevelAgain(const fs::path& file) {
  const auto config = config::ReadServerConfig(file);
  if (!config.ok()) {
    base::Log(base::LogLevel::kWarning, "configuration_refused", "reason={}",
              base::LogValue(std::string(config.status().message())));
    return;
  }
  base::SetLogLevel(LevelOf(config->log()));
  base::Log(base::LogLevel::kInfo, "log_level_read", "level={}",
            base::LogLevelName(LevelOf(config->log())));
}

// Until SIGTERM or SIGINT, which it returns.
int ServeUntilSignal(const sigset_t& signals, const fs::path& file) {
  while (true) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (signal != SIGHUP) return signal;
    ReadLevelAgain(file);
  }
}

absl::Status Run(const fs::path& folder) {
  const sigset_t signals = BlockSignals();
  const fs::path file = folder / "ltmld.toml";
  LTML_ASSIGN_OR_RETURN(const v1::ServerConfig config, config::ReadServerConfig(file));
  base::SetLogLevel(LevelOf(config.log()));
  base::SetLogFormat(config.log().format() == v1::ServerLog::FORMAT_JSON ? base::LogFormat::kJson
                                                                         : base::LogFormat::kText);
  const base::BackgroundLog background;
  LTML_ASSIGN_OR_RETURN(std::unique_ptr<Server> server, Server::Start(config));
  base::Log(base::LogLevel::kInfo, "READY", "address={} http={} hosts={} users={}",
            server->address(), base::LogValue(server->http_address()), config.hosts_size(),
            config.users_size());
  ::sd_notify(0, "READY=1");
  const int signal = ServeUntilSignal(signals, file);
  base::Log(base::LogLevel::kInfo, "draining", "signal={}", signal);
  ::sd_notify(0, "STOPPING=1");
  ::alarm(kDrainSeconds);
  server.reset();
  base::Log(base::LogLevel::kInfo, "ended");
  return absl::OkStatus();
}

std::string LoginName() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "admin" : entry->pw_name;
}

// What is typed starts at the current folder, what stands in a file at that file's.
std::string FromHere(const std::string& address) {
  const auto parsed = base::ParseAddress(address);
  if (!parsed || parsed->path.empty()) return address;
  return "unix:" + fs::absolute(parsed->path).lexically_normal().string();
}

struct InitArguments {
  std::string folder, listen = "127.0.0.1:7610", http = "127.0.0.1:7611", advertise,
                      user = LoginName();
  std::vector<std::string> data;
  int slots = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  bool allow_root = false;
};

absl::Status Init(const InitArguments& arguments) {
  InitOptions options;
  options.folder = arguments.folder;
  options.listen = FromHere(arguments.listen);
  options.advertise = FromHere(arguments.advertise);
  options.http = arguments.http;
  options.user = arguments.user;
  for (const std::string& root : arguments.data) {
    options.data.push_back(fs::absolute(root).lexically_normal().string());
  }
  if (options.data.empty()) options.data.push_back(fs::current_path().string());
  options.slots = arguments.slots;
  options.allow_root = arguments.allow_root;
  LTML_RETURN_IF_ERROR(InitServer(options));
  const std::string folder = fs::absolute(options.folder).lexically_normal().string();
  if (::geteuid() == 0 && !options.allow_root) {
    fmt::print(stderr,
               "ltmld: note: as root, jobs run only with launch.allow_root = true in "
               "{}/ltmld.toml, or as another user\n",
               folder);
  }
  fmt::print(
      "Made a pool of one host with {} slots; jobs may read below {}.  Next:\n"
      "  ltmld run {}\n"
      "  export LTML_CONFIG={}/client.toml\n"
      "  ltml submit JOB.toml --watch\n",
      options.slots, fmt::join(options.data, ", "), folder, folder);
  if (!options.http.empty())
    fmt::print("While it runs, jobs are seen on http://{}/\n", options.http);
  return absl::OkStatus();
}

struct UserArguments {
  std::string folder;
  NewUser user;
};

absl::Status Add(const UserArguments& arguments) {
  LTML_RETURN_IF_ERROR(AddUser(arguments.folder, arguments.user));
  fmt::print(
      "Give {}/users/{} to the user, who sets LTML_CONFIG to the client.toml in it; then start the "
      "server again\n",
      fs::absolute(arguments.folder).lexically_normal().string(), arguments.user.name);
  return absl::OkStatus();
}

void AddRun(CLI::App& program, absl::Status& status) {
  const auto folder = std::make_shared<std::string>();
  CLI::App* run = program.add_subcommand("run", "Serves the pool in DIR until SIGTERM");
  run->add_option("DIR", *folder, "A folder made by `ltmld init`")->required();
  run->footer("Example:\n  ltmld run pool");
  run->callback([folder, &status] { status = Run(*folder); });
}

void AddInit(CLI::App& program, absl::Status& status) {
  const auto arguments = std::make_shared<InitArguments>();
  CLI::App* init = program.add_subcommand(
      "init", "Makes DIR: configuration, certificates, and the first user, an admin");
  init->add_option("DIR", arguments->folder, "A new or empty folder")->required();
  init->add_option("--listen", arguments->listen, "HOST:PORT or unix:PATH to serve on")
      ->capture_default_str();
  init->add_option("--http", arguments->http,
                   "HOST:PORT on loopback for metrics, pages and health; empty: none")
      ->capture_default_str();
  init->add_option("--advertise", arguments->advertise,
                   "HOST:PORT as other hosts see it, where that is another one");
  init->add_option("--user", arguments->user, "The first user's name")->capture_default_str();
  init->add_option("--data", arguments->data,
                   "A folder that jobs may read below; may be repeated (default: this folder)")
      ->allow_extra_args(false);
  init->add_option("--slots", arguments->slots, "Cores of this machine that jobs may use")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536).description(""));
  init->add_flag("--allow-root", arguments->allow_root, "Let jobs run as root");
  init->footer("Example:\n  ltmld init pool --data /srv/data --slots 16");
  init->callback([arguments, &status] { status = Init(*arguments); });
}

void AddUserCommand(CLI::App& program, absl::Status& status) {
  const auto arguments = std::make_shared<UserArguments>();
  CLI::App* user = program.add_subcommand("user", "Adds a user to the pool in DIR");
  user->add_option("DIR", arguments->folder, "A folder made by `ltmld init`")->required();
  user->add_option("NAME", arguments->user.name, "Letters, digits, '-', '_' and '.'")->required();
  const std::map<std::string, v1::ServerUser::Role> roles = {
      {"viewer", v1::ServerUser::ROLE_VIEWER},
      {"submitter", v1::ServerUser::ROLE_SUBMITTER},
      {"admin", v1::ServerUser::ROLE_ADMIN}};
  user->add_option("--role", arguments->user.role,
                   "viewer sees all jobs, submitter also runs jobs, admin changes all "
                   "(default: submitter)")
      ->transform(CLI::CheckedTransformer(roles).description(""))
      ->type_name("ROLE");
  user->add_flag("--token", arguments->user.token, "A bearer token in place of a certificate");
  user->footer("Example:\n  ltmld user pool ada --role submitter");
  user->callback([arguments, &status] { status = Add(*arguments); });
}

absl::Status Renew(const std::string& folder) {
  LTML_RETURN_IF_ERROR(RenewServer(folder));
  fmt::print("The server has a new certificate; start it again to use it\n");
  return absl::OkStatus();
}

void AddRenew(CLI::App& program, absl::Status& status) {
  const auto folder = std::make_shared<std::string>();
  CLI::App* renew = program.add_subcommand(
      "renew", "Makes the server's certificate anew, with the authority of the pool in DIR");
  renew->add_option("DIR", *folder, "A folder made by `ltmld init`")->required();
  renew->footer("Example:\n  ltmld renew pool");
  renew->callback([folder, &status] { status = Renew(*folder); });
}

int Run(int argc, char** argv) {
  CLI::App program("The server of a pool: takes training jobs, places and runs them");
  program.require_subcommand(1);
  absl::Status status;
  AddRun(program, status);
  AddInit(program, status);
  AddUserCommand(program, status);
  AddRenew(program, status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  if (!status.ok()) fmt::print(stderr, "ltmld: {}\n", std::string(status.message()));
  return base::ExitCode(status);
}

}  // namespace
}  // namespace ltml::coordinator

int main(int argc, char** argv) {
  try {
    return ltml::coordinator::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ltmld: internal error: %s\n", error.what());
    return 1;
  }
}
