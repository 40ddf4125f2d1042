#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/connection.h"
#include "cli/context.h"
#include "cli/table.h"
#include "common/base/status_macros.h"
#include "common/examine/finding.h"
#include "common/examine/network.h"
#include "common/examine/programs.h"
#include "common/examine/resources.h"

namespace ltml::cli {
namespace {

using Findings = std::vector<v1::Finding>;

Findings ExamineThisMachine() {
  std::error_code error;
  return {examine::CheckOpenMpi(""),
          examine::CheckSsh(),
          examine::CheckPrograms(examine::OwnFolder()),
          examine::CheckInterfaces({}),
          examine::CheckLoopback(),
          examine::CheckSharedMemory(),
          examine::CheckTemporaryFolder(),
          examine::CheckDisk("this folder", std::filesystem::current_path(error)),
          examine::CheckOpenFiles(),
          examine::CheckProcessor()};
}

v1::Finding SlotsOf(const v1::Host& host) {
  const std::string text = fmt::format("{} of {} used", host.used_slots(), host.slots());
  v1::Finding finding =
      host.state() == v1::Host::STATE_READY
          ? examine::Ok("slots", text)
          : examine::Warning("slots", fmt::format("{}; takes no jobs: {}", text, host.note()),
                             fmt::format("ltml hosts undrain {}", host.name()));
  finding.set_host(host.name());
  return finding;
}

// What the server finds on its hosts; that is for admins.
void AddHosts(Connection& connection, Findings& found) {
  const auto answer = connection.Call(&v1::PoolService::Stub::CheckHosts, v1::CheckHostsRequest());
  const std::string message(answer.status().message());
  if (answer.ok()) {
    found.insert(found.end(), answer->findings().begin(), answer->findings().end());
  } else if (absl::IsPermissionDenied(answer.status())) {
    found.push_back(examine::Note("hosts", "not examined: " + message, "ask an admin"));
  } else {
    found.push_back(examine::Fault("hosts", "cannot be examined: " + message, "try again later"));
  }
}

void AddServer(const ServerOptions& options, Findings& found) {
  const auto connection = Connection::Open(options);
  if (!connection.ok()) {
    return found.push_back(examine::Fault("server", std::string(connection.status().message()),
                                          "take the client.toml of `ltmld init` or `ltmld user`"));
  }
  const auto answer =
      (*connection)->Call(&v1::PoolService::Stub::ListHosts, v1::ListHostsRequest());
  if (!answer.ok()) {
    return found.push_back(examine::Fault("server", std::string(answer.status().message()),
                                          "start it, or ask who can"));
  }
  found.push_back(examine::Ok("server", fmt::format("{} answers", (*connection)->server())));
  for (const v1::Host& host : answer->hosts()) found.push_back(SlotsOf(host));
  AddHosts(**connection, found);
}

const char* GradeText(v1::Finding::Grade grade) {
  switch (grade) {
    case v1::Finding::GRADE_OK:
      return "ok";
    case v1::Finding::GRADE_NOTE:
      return "note";
    case v1::Finding::GRADE_WARNING:
      return "warning";
    default:
      return "fault";
  }
}

// A finding a line, whatever a host has said.
std::string OneLine(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

absl::Status Print(const Findings& findings, const Context& context) {
  if (context.json()) {
    for (const v1::Finding& finding : findings) LTML_RETURN_IF_ERROR(PrintJson(finding, true));
    return absl::OkStatus();
  }
  Table table({{"GRADE"}, {"WHERE"}, {"WHAT"}, {"FOUND"}});
  for (const v1::Finding& finding : findings) {
    table.AddRow({GradeText(finding.grade()), finding.host().empty() ? "here" : finding.host(),
                  finding.subject(),
                  OneLine(finding.cure().empty() ? finding.text()
                                                 : finding.text() + "; " + finding.cure())});
  }
  return PrintText(table.Render(context.colour));
}

bool ServerIsNamed(const ServerOptions& options) {
  return !options.config.empty() || !options.server.empty() ||
         std::getenv("LTML_CONFIG") != nullptr || std::getenv("LTML_SERVER") != nullptr;
}

absl::Status Doctor(const ServerOptions& options, const Context& context) {
  Findings findings = ExamineThisMachine();
  if (ServerIsNamed(options)) AddServer(options, findings);
  LTML_RETURN_IF_ERROR(Print(findings, context));
  const auto faults = std::ranges::count(findings, v1::Finding::GRADE_FAULT, &v1::Finding::grade);
  if (faults == 0) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("{} {} would stop a job", faults, faults == 1 ? "fault" : "faults"));
}

}  // namespace

void AddDoctorCommand(CLI::App& program, Context& context) {
  const auto options = std::make_shared<ServerOptions>();
  CLI::App* command = AddServerCommand(
      program, "doctor",
      "Tells what would stop a job, here and on the hosts of the pool, and the cure",
      "ltml doctor --config pool/client.toml", options);
  command->callback([options, &context] { context.Fail(Doctor(*options, context)); });
}

}  // namespace ltml::cli
