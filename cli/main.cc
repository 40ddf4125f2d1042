#include "cli/program.h"

int main(int argc, char** argv) { return ltml::cli::RunProgram(argc, argv); }
