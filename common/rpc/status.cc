#include "common/rpc/status.h"

#include <google/rpc/status.pb.h>

#include <string>

#include "absl/strings/cord.h"
#include "common/rpc/details.h"

namespace ltml::rpc {
namespace {

// Trailing metadata may hold 8 KB in all: a detail that does not fit is left out, so that the
// code and the message arrive.
constexpr size_t kDetailsLimitBytes = 4000;
constexpr size_t kMessageLimitBytes = 2000;

// UTF-8 is not cut inside a character.
std::string Shortened(std::string text) {
  if (text.size() <= kMessageLimitBytes) return text;
  size_t end = kMessageLimitBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const bool named = !ErrorReason(status).empty();
  const absl::Status complete =
      named ? status : WithErrorInfo(status, absl::StatusCodeToString(status.code()));
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  proto.set_message(Shortened(std::string(status.message())));
  size_t size = proto.ByteSizeLong();
  complete.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) {
    if (size + type.size() + payload.size() > kDetailsLimitBytes) return;
    auto& detail = *proto.add_details();
    detail.set_type_url(std::string(type));
    detail.set_value(std::string(payload));
    size += type.size() + payload.size();
  });
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
