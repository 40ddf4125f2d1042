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

}  // namespace ltml::cli
