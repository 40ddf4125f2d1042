#include "common/rpc/status.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/rpc/details.h"

namespace ltml::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// gRPC gives up a call whose trailing metadata is larger.
constexpr size_t kMetadataBytes = 8192;

size_t PercentEncoded(const std::string& text) {
  size_t bytes = 0;
  for (const char c : text) bytes += c >= ' ' && c <= '~' && c != '%' ? 1 : 3;
  return bytes;
}

size_t OnTheWire(const grpc::Status& status) {
  return PercentEncoded(status.error_message()) + (status.error_details().size() + 2) / 3 * 4;
}

std::vector<Violation> Many(int count, size_t description_bytes) {
  std::vector<Violation> violations;
  for (int i = 0; i < count; ++i) {
    violations.push_back({fmt::format("field{}", i), std::string(description_bytes, 'd')});
  }
  return violations;
}

TEST(Status, ThereAndBackIsTheSame) {
  const absl::Status status = WithRetryAfter(
      WithPreconditionFailure(
          WithErrorInfo(WithFieldViolations(absl::InvalidArgumentError("no"), Many(3, 10)),
                        "REASON"),
          "TYPE", "subject", "description"),
      std::chrono::milliseconds(1500));
  EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
}

TEST(Status, EveryErrorHasAReason) {
  EXPECT_EQ(ErrorReason(FromGrpc(ToGrpc(absl::NotFoundError("none")))), "NOT_FOUND");
}

TEST(Status, ManyViolationsPushNothingElseOut) {
  const absl::Status status = WithRetryAfter(
      WithErrorInfo(WithFieldViolations(absl::InvalidArgumentError("no"), Many(1000, 100)),
                    "REASON"),
      std::chrono::seconds(1));
  const grpc::Status sent = ToGrpc(status);
  EXPECT_LT(OnTheWire(sent), kMetadataBytes);
  const absl::Status got = FromGrpc(sent);
  EXPECT_EQ(ErrorReason(got), "REASON");
  EXPECT_TRUE(RetryAfter(got).has_value());
  const std::vector<Violation> violations = FieldViolations(got);
  ASSERT_GT(violations.size(), 20u);
  for (size_t i = 0; i + 1 < violations.size(); ++i) {
    EXPECT_EQ(violations[i].field, fmt::format("field{}", i));
  }
  EXPECT_EQ(violations.back().field, "...");
  EXPECT_EQ(violations.back().description,
            fmt::format("{} more left out", 1000 - (violations.size() - 1)));
}

TEST(Status, OneViolationThatIsTooLongIsCounted) {
  const absl::Status got =
      FromGrpc(ToGrpc(WithFieldViolations(absl::InvalidArgumentError("no"), Many(1, 10000))));
  const std::vector<Violation> violations = FieldViolations(got);
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].description, "1 more left out");
}

TEST(Status, ErrorInfoIsTheFirstDetail) {
  const grpc::Status sent =
      ToGrpc(WithFieldViolations(absl::InvalidArgumentError("no"), Many(2, 10)));
  google::rpc::Status proto;
  ASSERT_TRUE(proto.ParseFromString(sent.error_details()));
  ASSERT_EQ(proto.details_size(), 2);
  EXPECT_EQ(proto.details(0).type_url(), kErrorInfoType);
  EXPECT_EQ(proto.details(1).type_url(), kBadRequestType);
}

TEST(Status, LongMessagesAreCutBetweenCharacters) {
  std::string message;
  for (int i = 0; i < 2000; ++i) message += "ä";
  const grpc::Status sent =
      ToGrpc(WithFieldViolations(absl::InvalidArgumentError(message), Many(100, 100)));
  EXPECT_LT(OnTheWire(sent), kMetadataBytes);
  const std::string& text = sent.error_message();
  EXPECT_TRUE(text.ends_with("ä...")) << text.substr(text.size() - 10);
  EXPECT_GT(text.size(), 600u);
  EXPECT_THAT(FieldViolations(FromGrpc(sent)), ::testing::Not(IsEmpty()));
}

TEST(Status, AMessageThatFitsIsWhole) {
  const std::string message(2000, 'x');
  EXPECT_EQ(ToGrpc(absl::InternalError(message)).error_message(), message);
}

}  // namespace
}  // namespace ltml::rpc
