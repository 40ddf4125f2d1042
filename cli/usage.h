#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ltml::cli {

// What to answer when the command line could not be parsed: the fault, the nearest right command or
// option, and where help is.  `unread` are the arguments that nothing took.
absl::Status UsageFault(const CLI::App& program, const CLI::ParseError& error,
                        const std::vector<std::string>& unread);

// In single quotes where a shell would split or change it.
std::string ShellQuoted(const std::string& word);

}  // namespace ltml::cli
