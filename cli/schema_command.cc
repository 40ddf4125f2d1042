#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/context.h"
#include "common/config/job_file.h"

namespace ltml::cli {

void AddSchemaCommand(CLI::App& program, Context&) {
  CLI::App* command = AddCommand(program, "schema", "Prints the JSON Schema of the job file",
                                 "ltml schema --reference > docs/job-file.md");
  const auto reference = std::make_shared<bool>(false);
  command->add_flag("--reference", *reference, "The reference page in Markdown instead");
  command->callback(
      [reference] { fmt::print("{}", *reference ? config::JobReference() : config::JobSchema()); });
}

}  // namespace ltml::cli
