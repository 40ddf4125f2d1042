#include "common/rpc/details.h"

#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <google/rpc/error_details.pb.h>

#include "absl/strings/cord.h"

namespace ltml::rpc {
namespace {

constexpr size_t kFramingBytes = 4;  // tag and length of a violation
constexpr size_t kNoteBytes = 48;    // of how many are left out

template <typename Detail>
std::string TypeUrl() {
  return "type.googleapis.com/" + std::string(Detail::descriptor()->full_name());
}

template <typename Detail>
absl::Status With(absl::Status status, const Detail& detail) {
  if (!status.ok()) status.SetPayload(TypeUrl<Detail>(), absl::Cord(detail.SerializeAsString()));
  return status;
}

template <typename Detail>
std::optional<Detail> Find(const absl::Status& status) {
  const auto payload = status.GetPayload(TypeUrl<Detail>());
  Detail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

}  // namespace

absl::Status WithFieldViolations(absl::Status status, const std::vector<Violation>& violations) {
  google::rpc::BadRequest detail;
  for (const Violation& violation : violations) {
    auto& added = *detail.add_field_violations();
    added.set_field(violation.field);
    added.set_description(violation.description);
  }
  return With(std::move(status), detail);
}

std::vector<Violation> FieldViolations(const absl::Status& status) {
  std::vector<Violation> result;
  if (const auto detail = Find<google::rpc::BadRequest>(status)) {
    for (const auto& violation : detail->field_violations()) {
      result.push_back({violation.field(), violation.description()});
    }
  }
  return result;
}

std::string FewerViolations(const std::string& bad_request, size_t limit_bytes) {
  google::rpc::BadRequest all;
  if (bad_request.size() <= limit_bytes || !all.ParseFromString(bad_request)) return bad_request;
  if (limit_bytes < kNoteBytes) return "";
  google::rpc::BadRequest kept;
  size_t bytes = kNoteBytes;
  for (const auto& violation : all.field_violations()) {
    bytes += violation.ByteSizeLong() + kFramingBytes;
    if (bytes > limit_bytes) break;
    *kept.add_field_violations() = violation;
  }
  const int left_out = all.field_violations_size() - kept.field_violations_size();
  auto& note = *kept.add_field_violations();
  note.set_field("...");
  note.set_description(fmt::format("{} more left out", left_out));
  return kept.SerializeAsString();
}

absl::Status WithPreconditionFailure(absl::Status status, std::string_view type,
                                     std::string_view subject, std::string_view description) {
  google::rpc::PreconditionFailure detail;
  auto& violation = *detail.add_violations();
  violation.set_type(std::string(type));
  violation.set_subject(std::string(subject));
  violation.set_description(std::string(description));
  return With(std::move(status), detail);
}

absl::Status WithRetryAfter(absl::Status status, std::chrono::nanoseconds delay) {
  google::rpc::RetryInfo detail;
  detail.mutable_retry_delay()->set_seconds(delay / std::chrono::seconds(1));
  detail.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>((delay % std::chrono::seconds(1)).count()));
  return With(std::move(status), detail);
}

std::optional<std::chrono::nanoseconds> RetryAfter(const absl::Status& status) {
  const auto detail = Find<google::rpc::RetryInfo>(status);
  if (!detail) return std::nullopt;
  return std::chrono::seconds(detail->retry_delay().seconds()) +
         std::chrono::nanoseconds(detail->retry_delay().nanos());
}

absl::Status WithErrorInfo(absl::Status status, std::string_view reason) {
  google::rpc::ErrorInfo detail;
  detail.set_reason(std::string(reason));
  detail.set_domain("ltml");
  return With(std::move(status), detail);
}

std::string ErrorReason(const absl::Status& status) {
  const auto detail = Find<google::rpc::ErrorInfo>(status);
  return detail ? detail->reason() : "";
}

}  // namespace ltml::rpc
