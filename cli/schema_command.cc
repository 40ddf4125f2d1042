#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/context.h"
#include "common/config/job_file.h"
#include "common/config/server_config.h"

namespace ltml::cli {

void AddSchemaCommand(CLI::App& program, Context&) {
  CLI::App* command = AddCommand(program, "schema", "Prints the JSON Schema of the job file",
                                 "ltml schema --reference > docs/job-file.md");
  const auto reference = std::make_shared<bool>(false);
  const auto server = std::make_shared<bool>(false);
  command->add_flag("--reference", *reference, "The reference page in Markdown instead");
  command->add_flag("--server-reference", *server,
                    "The page of ltmld.toml and client.toml, in Markdown");
  command->callback([reference, server] {
    fmt::print("{}", *server      ? config::ServerReference()
                     : *reference ? config::JobReference()
                                  : config::JobSchema());
  });
}

}  // namespace ltml::cli
