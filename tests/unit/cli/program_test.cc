// Runs the real program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/base/files.h"

namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Result {
  int code = -1;
  std::string out, err;
};

Result RunLtml(const std::string& arguments) {
  const auto folder = *ltml::base::PrivateFolder::Create("ltml-program");
  const std::string prefix = folder.path().string();
  const std::string command = LTML_BINARY_DIR "/bin/ltml " + arguments + " >" + prefix + "/out 2>" +
                              prefix + "/err </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          ltml::base::ReadFile(folder.path() / "out").value_or(""),
          ltml::base::ReadFile(folder.path() / "err").value_or("")};
}

// Nothing on stdout, one error on stderr.
void ExpectRefused(const std::string& arguments, int code, const std::string& text) {
  const Result result = RunLtml(arguments);
  EXPECT_EQ(result.code, code) << arguments;
  EXPECT_EQ(result.out, "") << arguments;
  EXPECT_THAT(result.err, StartsWith("ltml: ")) << arguments;
  EXPECT_THAT(result.err, HasSubstr(text)) << arguments;
}

TEST(Program, MistypedCommandsGetTheNearest) {
  ExpectRefused("", 2, "a command is missing; run 'ltml --help'");
  ExpectRefused("trian x", 2, "unknown command 'trian'; did you mean 'train'?");
  ExpectRefused("data imprt", 2, "unknown command 'imprt'; did you mean 'import'?");
  ExpectRefused("--output json evla", 2, "did you mean 'eval'?");
}

TEST(Program, MistypedOptionsGetTheNearest) {
  ExpectRefused("train a.toml --rnaks=2", 2, "unknown option '--rnaks'; did you mean '--ranks'?");
  ExpectRefused("version --outptu json", 2, "did you mean '--output'?");
}

TEST(Program, WrongValues) {
  ExpectRefused("train a.toml --ranks 0", 2, "--ranks: Value 0 not in range");
  ExpectRefused("train a.toml --ranks two", 2, "--ranks");
  ExpectRefused("version --output xml", 2, "--output: got 'xml', expected text or json");
  ExpectRefused("train", 2, "JOB is required; run 'ltml train --help'");
  ExpectRefused("train a b", 2, "unexpected argument 'b'");
  ExpectRefused("eval x", 2, "--data is required");
  ExpectRefused("eval x --data y --tta crop", 2, "--tta: crop not in {none,flip}");
}

TEST(Program, LaterCommands) {
  for (const char* command : {"predict", "export x"}) {
    ExpectRefused(command, 2, "is not available in this version");
  }
}

TEST(Program, ServersThatCannotBeSpokenToAreExplained) {
  ::unsetenv("LTML_CONFIG");
  ::unsetenv("LTML_SERVER");
  ::setenv("XDG_CONFIG_HOME", "/nowhere", 1);
  ExpectRefused("submit", 2, "JOB is required");
  ExpectRefused("submit /nowhere/job.toml", 3, "/nowhere/job.toml");
  ExpectRefused("jobs --server head:7610", 3, "/nowhere/ltml/client.toml");
  ExpectRefused("jobs --server head", 2, "expected HOST:PORT or unix:PATH");
  ExpectRefused("jobs --config /nowhere/client.toml", 3, "ltmld init");
  ExpectRefused("jobs --state sleeping", 2, "expected queued");
  ExpectRefused("hosts drain", 2, "NAME is required");
}

TEST(Program, NotFound) {
  ExpectRefused("train /nowhere/job.toml", 3, "/nowhere/job.toml");
  ExpectRefused("eval /nowhere/run --data x", 3, "/nowhere/run");
  ExpectRefused("report /usr/bin", 3, "'/usr/bin' is no run folder");
}

TEST(Program, JobFileFaultsComeAllAtOnce) {
  const std::string job = LTML_SOURCE_DIR "/tests/unit/config/small_job.toml";
  const Result result = RunLtml("train " + job + " --set model.width=0 --set model.widht=3");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--set model.width=0: model.width: got 0"));
  EXPECT_THAT(result.err, HasSubstr("did you mean 'width'?"));
}

TEST(Program, MissingDataEndsWithOne) {
  const std::string job = LTML_SOURCE_DIR "/tests/unit/config/small_job.toml";
  ExpectRefused("train " + job, 1, "tests/unit/config/train");
}

TEST(Program, EveryHelpEndsWithAnExample) {
  for (const char* command : {"", "train ", "eval ", "plan ", "data ", "data import ", "data info ",
                              "schema ", "version "}) {
    const Result result = RunLtml(std::string(command) + "--help");
    EXPECT_EQ(result.code, 0) << command;
    EXPECT_EQ(result.err, "") << command;
    const size_t example =
        result.out.rfind("Example:\n  ltml " + std::string(command).substr(0, 4));
    ASSERT_NE(example, std::string::npos) << result.out;
    const size_t end_of_example = result.out.find('\n', example + 10);
    EXPECT_GE(end_of_example + 1, result.out.size()) << result.out;
  }
}

TEST(Program, Versions) {
  const Result text = RunLtml("version");
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.out, StartsWith("ltml "));
  EXPECT_THAT(text.out, HasSubstr("\ntorch 2."));
  EXPECT_THAT(text.out, HasSubstr("\nopen_mpi "));
  EXPECT_THAT(RunLtml("version --output json").out, HasSubstr("\"protobuf\":"));
  EXPECT_EQ(RunLtml("--version").code, 0);
}

TEST(Program, Schema) {
  EXPECT_THAT(RunLtml("schema").out, StartsWith("{"));
  EXPECT_THAT(RunLtml("schema --reference").out, StartsWith("# Job file\n"));
}

}  // namespace
