#include "cli/program.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cli/context.h"
#include "cli/usage.h"
#include "common/base/log.h"

namespace ltml::cli {
namespace {

void SetOutput(const std::string& form, Context& context) {
  if (form != "text" && form != "json") {
    throw CLI::ValidationError("--output", "got '" + form + "', expected text or json");
  }
  context.output = form == "json" ? OutputMode::kJson : OutputMode::kText;
}

void Build(CLI::App& program, Context& context) {
  program.name("ltml");
  program.require_subcommand(1);
  program.set_help_flag("-h,--help", "Prints this help");
  program
      .add_option_function<std::string>(
          "--output", [&context](const std::string& form) { SetOutput(form, context); },
          "Form of the result: text (default) or json")
      ->type_name("FORM");
  program.add_flag("-q,--quiet", context.quiet, "No progress");
  program.footer(
      "Run 'ltml COMMAND --help' for the options of a command.\n\n"
      "Example:\n  ltml train examples/clipart/job.toml");
  AddDataCommand(program, context);
  AddPlanCommand(program, context);
  AddTrainCommand(program, context);
  AddEvalCommand(program, context);
  AddJobCommands(program, context);
  AddPoolCommands(program, context);
  AddReportCommand(program, context);
  AddDoctorCommand(program, context);
  AddSchemaCommand(program, context);
  AddVersionCommand(program, context);
}

bool WantsColour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || no_colour[0] == '\0');
}

}  // namespace

int RunProgram(int argc, const char* const* argv) {
  base::SetLogLevel(base::LogLevel::kWarning);
  Context context;
  context.colour = WantsColour();
  CLI::App program("Trains long-tailed multi-label image classifiers on many ranks.");
  try {
    Build(program, context);
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    program.exit(help);
  } catch (const CLI::ParseError& error) {
    context.Fail(UsageFault(program, error, program.remaining(true)));
  } catch (const std::exception& error) {
    context.Fail(absl::InternalError(fmt::format("internal error: {}", error.what())));
  }
  if (std::fflush(stdout) != 0 && context.exit_code == 0) {
    context.Fail(absl::InternalError("cannot write to stdout"));
  }
  return context.exit_code;
}

}  // namespace ltml::cli
