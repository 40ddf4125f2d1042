#pragma once

#include <google/protobuf/message.h>

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/base/exit_code.h"

namespace ltml::cli {

enum class OutputMode { kText, kJson };

// What all commands share: how to print, and the exit code of the program.
// stdout carries results only; everything else goes to stderr.
struct Context {
  OutputMode output = OutputMode::kText;  // --output
  bool quiet = false;                     // --quiet: no progress
  bool colour = false;                    // stdout is a terminal and NO_COLOR is not set
  int exit_code = 0;

  bool json() const { return output == OutputMode::kJson; }

  // Prints "ltml: message" to stderr and takes the exit code of ExitCode(status).  Does nothing for
  // an OK status.
  void Fail(const absl::Status& status);
};

// Text for people on stderr.  Nobody may be reading it any more, which is no reason to fail.
void Say(std::string_view text);

using base::ExitCode;

// The same message with exit code 1: for faults of data that a command was told to work on.
absl::Status DataFault(const absl::Status& status);

// Answer to values and commands of later versions: exit code 2.
absl::Status NotAvailable(std::string_view what);

// Text on stdout; Internal when it cannot be written.
absl::Status PrintText(std::string_view text);

// One message as JSON on stdout, indented or on one line (for lists and streams).
absl::Status PrintJson(const google::protobuf::Message& message, bool one_line = false);

// A command of `parent` that understands the options of the whole program after its name, and
// whose --help ends with `example` (a complete command line).
CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& example);

// The commands.  Each adds its options to the program and its work as a callback, which reports
// through `context`; `context` must live as long as `program`.
void AddDataCommand(CLI::App& program, Context& context);
void AddPlanCommand(CLI::App& program, Context& context);
void AddTrainCommand(CLI::App& program, Context& context);
void AddEvalCommand(CLI::App& program, Context& context);
void AddJobCommands(CLI::App& program, Context& context);   // submit, jobs, job, watch, logs, ...
void AddPoolCommands(CLI::App& program, Context& context);  // hosts
void AddReportCommand(CLI::App& program, Context& context);
void AddDoctorCommand(CLI::App& program, Context& context);
void AddSchemaCommand(CLI::App& program, Context& context);
void AddVersionCommand(CLI::App& program, Context& context);

}  // namespace ltml::cli
