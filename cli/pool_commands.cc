#include <filesystem>
#include <memory>
#include <string>

#include "cli/connection.h"
#include "cli/context.h"
#include "cli/job_text.h"
#include "cli/report_text.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::cli {
namespace {

struct HostArguments : ServerOptions {
  std::string host;
  std::string reason;
  bool preempt = false;
};

absl::Status PrintHost(const v1::Host& host, const Context& context) {
  return context.json() ? PrintJson(host) : PrintText(HostTable({host}, context.colour));
}

absl::Status List(const ServerOptions& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  LTML_ASSIGN_OR_RETURN(
      const v1::ListHostsResponse answer,
      connection->Call(&v1::PoolService::Stub::ListHosts, v1::ListHostsRequest()));
  if (!context.json()) {
    return PrintText(HostTable({answer.hosts().begin(), answer.hosts().end()}, context.colour));
  }
  for (const v1::Host& host : answer.hosts()) LTML_RETURN_IF_ERROR(PrintJson(host, true));
  return absl::OkStatus();
}

absl::Status Drain(const HostArguments& arguments, Context& context) {
  v1::DrainRequest request;
  request.set_host(arguments.host);
  request.set_reason(arguments.reason);
  request.set_preempt(arguments.preempt);
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  LTML_ASSIGN_OR_RETURN(const v1::Host host,
                        connection->Call(&v1::PoolService::Stub::Drain, request));
  return PrintHost(host, context);
}

absl::Status Undrain(const HostArguments& arguments, Context& context) {
  v1::UndrainRequest request;
  request.set_host(arguments.host);
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  LTML_ASSIGN_OR_RETURN(const v1::Host host,
                        connection->Call(&v1::PoolService::Stub::Undrain, request));
  return PrintHost(host, context);
}

struct ReportArguments : ServerOptions {
  std::string source;
  std::string html;
};

// A folder is a run here; anything else a job of the server.
absl::StatusOr<v1::Report> Find(const ReportArguments& arguments) {
  v1::Report report;
  std::error_code error;
  if (std::filesystem::is_directory(arguments.source, error)) {
    const std::filesystem::path file = std::filesystem::path(arguments.source) / "report.json";
    LTML_RETURN_IF_ERROR(base::ReadJsonFile(file, &report));
    return report;
  }
  v1::GetReportRequest request;
  request.set_name(JobName(arguments.source));
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  return connection->Call(&v1::JobService::Stub::GetReport, request);
}

absl::Status Report(const ReportArguments& arguments, Context& context) {
  if (!arguments.html.empty()) return NotAvailable("report --html");
  LTML_ASSIGN_OR_RETURN(const v1::Report report, Find(arguments));
  return context.json() ? PrintJson(report) : PrintText(ReportText(report, context.colour));
}

void AddDrain(CLI::App& hosts, Context& context) {
  const auto arguments = std::make_shared<HostArguments>();
  CLI::App* drain = AddServerCommand(hosts, "drain", "Places no more jobs on a host",
                                     "ltml hosts drain node1 --preempt --reason disk", arguments);
  drain->add_option("NAME", arguments->host, "The host, as `ltml hosts` lists it")->required();
  drain->add_option("--reason", arguments->reason, "What others should know")->type_name("TEXT");
  drain->add_flag("--preempt", arguments->preempt,
                  "Has jobs there write a checkpoint and go on elsewhere");
  drain->callback([arguments, &context] { context.Fail(Drain(*arguments, context)); });
}

void AddUndrain(CLI::App& hosts, Context& context) {
  const auto arguments = std::make_shared<HostArguments>();
  CLI::App* undrain = AddServerCommand(hosts, "undrain", "Places jobs on a host again",
                                       "ltml hosts undrain node1", arguments);
  undrain->add_option("NAME", arguments->host, "The host, as `ltml hosts` lists it")->required();
  undrain->callback([arguments, &context] { context.Fail(Undrain(*arguments, context)); });
}

}  // namespace

void AddPoolCommands(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<ServerOptions>();
  CLI::App* hosts =
      AddServerCommand(program, "hosts", "Lists the hosts of the pool", "ltml hosts", arguments);
  hosts->require_subcommand(0, 1);
  AddDrain(*hosts, context);
  AddUndrain(*hosts, context);
  hosts->callback([arguments, hosts, &context] {
    if (hosts->get_subcommands().empty()) context.Fail(List(*arguments, context));
  });
}

void AddReportCommand(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command =
      AddServerCommand(program, "report", "Prints the report of a run folder or of a job",
                       "ltml report 20261124-103940-clipart-ce0734a8", arguments);
  command->add_option("RUN_OR_JOB", arguments->source, "A run folder, or a job's ID")->required();
  command->add_option("--html", arguments->html, "A page in place of text")->type_name("FILE");
  command->callback([arguments, &context] { context.Fail(Report(*arguments, context)); });
}

}  // namespace ltml::cli
