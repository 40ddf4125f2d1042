#include "common/rpc/status.h"

#include <google/rpc/status.pb.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "common/rpc/details.h"

namespace ltml::rpc {
namespace {

// Trailing metadata may hold 8 KB in all, in which the message stands percent-encoded and the
// details in base64.
constexpr size_t kDetailsLimitBytes = 4000;
constexpr size_t kMessageLimitBytes = 2000;
constexpr size_t kFramingBytes = 16;  // tags and lengths around a detail

size_t EncodedBytes(char c) { return c >= ' ' && c <= '~' && c != '%' ? 1 : 3; }

// UTF-8 is not cut inside a character.
std::string Shortened(std::string text) {
  size_t end = 0;
  for (size_t encoded = 0; end < text.size(); ++end) {
    encoded += EncodedBytes(text[end]);
    if (encoded > kMessageLimitBytes) break;
  }
  if (end == text.size()) return text;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

struct Detail {
  std::string type;
  std::string value;
  size_t bytes() const { return type.size() + value.size() + kFramingBytes; }
};

// An ErrorInfo first, violations last: of all details they alone can be many.
std::vector<Detail> DetailsOf(const absl::Status& status) {
  std::vector<Detail> details;
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    details.push_back({std::string(type), std::string(payload)});
  });
  std::ranges::stable_sort(details, {}, [](const Detail& detail) {
    return detail.type == kErrorInfoType ? 0 : detail.type == kBadRequestType ? 2 : 1;
  });
  return details;
}

// What fits; a detail that does not is left out, so that the code and the message arrive.
void AddDetails(const absl::Status& status, google::rpc::Status& proto) {
  size_t left = kDetailsLimitBytes - proto.ByteSizeLong();
  for (Detail& detail : DetailsOf(status)) {
    if (detail.type == kBadRequestType && detail.bytes() > left) {
      const size_t around = detail.type.size() + kFramingBytes;
      detail.value = FewerViolations(detail.value, left - std::min(left, around));
    }
    if (detail.bytes() > left) continue;
    left -= detail.bytes();
    auto& added = *proto.add_details();
    added.set_type_url(std::move(detail.type));
    added.set_value(std::move(detail.value));
  }
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const bool named = !ErrorReason(status).empty();
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(Shortened(std::string(status.message())));
  AddDetails(named ? status : WithErrorInfo(status, absl::StatusCodeToString(status.code())),
             proto);
  return {static_cast<grpc::StatusCode>(status.code()), proto.message(), proto.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status proto;
  if (!proto.ParseFromString(status.error_details())) return result;
  for (const auto& detail : proto.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

}  // namespace ltml::rpc
