#include "cli/context.h"

#include <fmt/format.h>

#include <cstdio>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::cli {

void Context::Fail(const absl::Status& status) {
  if (status.ok()) return;
  Say(fmt::format("ltml: {}\n", std::string(status.message())));
  exit_code = ExitCode(status);
}

void Say(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

absl::Status DataFault(const absl::Status& status) {
  return status.ok() ? status : absl::DataLossError(status.message());
}

absl::Status NotAvailable(std::string_view what) {
  return absl::UnimplementedError(fmt::format("{} is not available in this version", what));
}

absl::Status PrintText(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return absl::OkStatus();
  return absl::InternalError("cannot write to stdout");
}

absl::Status PrintJson(const google::protobuf::Message& message, bool one_line) {
  absl::StatusOr<std::string> json = base::ToJson(message, one_line);
  if (!json.ok()) return json.status();
  if (json->empty() || json->back() != '\n') *json += '\n';
  return PrintText(*json);
}

CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& example) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->fallthrough();
  command->footer(fmt::format(
      "Every command understands --output text|json and --quiet.\n\nExample:\n  {}", example));
  return command;
}

}  // namespace ltml::cli
