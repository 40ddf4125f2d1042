#include "common/rpc/status.h"

#include <array>
#include <string>

namespace ltml::rpc {
namespace {

struct CodePair {
  absl::StatusCode ours;
  grpc::StatusCode theirs;
};

constexpr std::array<CodePair, 17> kCodes = {{
    {absl::StatusCode::kOk, grpc::StatusCode::OK},
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
}};

std::string Unlisted(int code, const std::string& message) {
  return "status code " + std::to_string(code) + ": " + message;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message());
  for (const CodePair& pair : kCodes) {
    if (pair.ours == status.code()) return grpc::Status(pair.theirs, message);
  }
  return grpc::Status(grpc::StatusCode::UNKNOWN, Unlisted(status.raw_code(), message));
}

absl::Status FromGrpc(const grpc::Status& status) {
  for (const CodePair& pair : kCodes) {
    if (pair.theirs == status.error_code()) return absl::Status(pair.ours, status.error_message());
  }
  return absl::UnknownError(Unlisted(status.error_code(), status.error_message()));
}

}  // namespace ltml::rpc
