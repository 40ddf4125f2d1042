#include <fmt/format.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "common/base/version.h"

namespace ltml::cli {
namespace {

std::vector<std::pair<std::string, std::string>> Versions() {
  return {{"ltml", base::Version()},
          {"torch", LTML_TORCH_VERSION},
          {"open_mpi", LTML_OPEN_MPI_VERSION},
          {"grpc", grpc::Version()},
          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)}};
}

void Print(Context& context) {
  if (!context.json()) {
    for (const auto& [name, version] : Versions()) fmt::print("{} {}\n", name, version);
    return;
  }
  google::protobuf::Struct message;
  for (const auto& [name, version] : Versions()) {
    (*message.mutable_fields())[name].set_string_value(version);
  }
  context.Fail(PrintJson(message));
}

}  // namespace

void AddVersionCommand(CLI::App& program, Context& context) {
  program.set_version_flag("--version", "ltml " + base::Version(), "Prints the version of ltml");
  CLI::App* command = AddCommand(program, "version", "Prints versions of ltml and its libraries",
                                 "ltml version --output json");
  command->callback([&context] { Print(context); });
}

}  // namespace ltml::cli
