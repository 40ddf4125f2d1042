#include <gtest/gtest.h>

#include "common/rpc/status.h"

namespace ltml::rpc {
namespace {

struct Row {
  absl::StatusCode ours;
  grpc::StatusCode theirs;
};

TEST(RpcStatus, TableGoesBothWays) {
  const Row rows[] = {
      {absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED},
      {absl::StatusCode::kUnknown, grpc::StatusCode::UNKNOWN},
      {absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
      {absl::StatusCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
      {absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND},
      {absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
      {absl::StatusCode::kPermissionDenied, grpc::StatusCode::PERMISSION_DENIED},
      {absl::StatusCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
      {absl::StatusCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
      {absl::StatusCode::kAborted, grpc::StatusCode::ABORTED},
      {absl::StatusCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
      {absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED},
      {absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL},
      {absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE},
      {absl::StatusCode::kDataLoss, grpc::StatusCode::DATA_LOSS},
      {absl::StatusCode::kUnauthenticated, grpc::StatusCode::UNAUTHENTICATED},
  };
  for (const Row& row : rows) {
    const grpc::Status theirs = ToGrpc(absl::Status(row.ours, "why"));
    EXPECT_EQ(theirs.error_code(), row.theirs);
    EXPECT_EQ(theirs.error_message(), "why");
    EXPECT_EQ(FromGrpc(grpc::Status(row.theirs, "why")), absl::Status(row.ours, "why"));
  }
}

TEST(RpcStatus, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(RpcStatus, UnlistedCodesAreUnknownAndNamed) {
  const absl::Status status = FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(77), "why"));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(std::string(status.message()), "status code 77: why");
}

}  // namespace
}  // namespace ltml::rpc
