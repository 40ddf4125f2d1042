#include "cli/context.h"

#include <gtest/gtest.h>

#include <map>

namespace ltml::cli {
namespace {

TEST(ExitCode, IsTheWholeTable) {
  const std::map<absl::StatusCode, int> expected = {
      {absl::StatusCode::kOk, 0},
      {absl::StatusCode::kCancelled, 130},
      {absl::StatusCode::kUnknown, 1},
      {absl::StatusCode::kInvalidArgument, 2},
      {absl::StatusCode::kDeadlineExceeded, 5},
      {absl::StatusCode::kNotFound, 3},
      {absl::StatusCode::kAlreadyExists, 6},
      {absl::StatusCode::kPermissionDenied, 4},
      {absl::StatusCode::kUnauthenticated, 4},
      {absl::StatusCode::kResourceExhausted, 1},
      {absl::StatusCode::kFailedPrecondition, 6},
      {absl::StatusCode::kAborted, 6},
      {absl::StatusCode::kOutOfRange, 1},
      {absl::StatusCode::kUnimplemented, 2},
      {absl::StatusCode::kInternal, 1},
      {absl::StatusCode::kUnavailable, 5},
      {absl::StatusCode::kDataLoss, 1},
  };
  for (const auto& [code, exit_code] : expected) {
    EXPECT_EQ(ExitCode(absl::Status(code, "x")), exit_code) << static_cast<int>(code);
  }
}

TEST(Context, FailPrintsOneErrorAndKeepsTheCode) {
  Context context;
  context.Fail(absl::OkStatus());
  EXPECT_EQ(context.exit_code, 0);
  ::testing::internal::CaptureStderr();
  context.Fail(absl::NotFoundError("no run 'x'"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "ltml: no run 'x'\n");
  EXPECT_EQ(context.exit_code, 3);
}

TEST(DataFault, EndsWithOne) {
  EXPECT_TRUE(DataFault(absl::OkStatus()).ok());
  EXPECT_EQ(ExitCode(DataFault(absl::NotFoundError("x"))), 1);
}

}  // namespace
}  // namespace ltml::cli
