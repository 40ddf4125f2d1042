#pragma once

namespace ltml::cli {

// The whole of `ltml`: parses the command line, runs the command, returns the exit code of
// the table in context.h.
int RunProgram(int argc, const char* const* argv);

}  // namespace ltml::cli
