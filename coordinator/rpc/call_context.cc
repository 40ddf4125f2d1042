#include "coordinator/rpc/call_context.h"

#include <fmt/format.h>
#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <random>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "coordinator/jobs/names.h"

namespace ltml::coordinator {
namespace {

constexpr char kRequestId[] = "x-request-id";

// 128 random bits: ids of two servers do not meet.
std::string MintRequestId() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("{:016x}{:016x}", random(), random());
}

std::vector<std::string> MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  std::vector<std::string> values;
  const auto [first, last] = context.client_metadata().equal_range(key);
  for (auto it = first; it != last; ++it) {
    values.emplace_back(it->second.data(), it->second.size());
  }
  return values;
}

std::string RequestIdOf(const grpc::CallbackServerContext& context) {
  const std::vector<std::string> values = MetadataOf(context, kRequestId);
  return values.size() == 1 && jobs::IsToken(values[0]) ? values[0] : MintRequestId();
}

std::optional<std::string> CertificateName(const grpc::CallbackServerContext& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return std::nullopt;
  const auto names = auth->FindPropertyValues(GRPC_X509_CN_PROPERTY_NAME);
  if (names.size() != 1) return std::nullopt;
  return std::string(names[0].data(), names[0].size());
}

// An authorization that is no bearer token counts as a wrong token, not as none.
std::optional<std::string> BearerToken(const grpc::CallbackServerContext& context) {
  const std::vector<std::string> values = MetadataOf(context, "authorization");
  if (values.empty()) return std::nullopt;
  constexpr std::string_view kScheme = "bearer ";
  const std::string& value = values[0];
  const bool bearer = values.size() == 1 && value.size() > kScheme.size() &&
                      std::equal(kScheme.begin(), kScheme.end(), value.begin(),
                                 [](char a, char b) { return a == std::tolower(b); });
  return bearer ? value.substr(kScheme.size()) : std::string();
}

bool IsDenied(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
}

}  // namespace

CallContext::CallContext(CallEnvironment& environment, const Method& method,
                         grpc::CallbackServerContext& context)
    : environment_(environment),
      method_(method),
      proof_{CertificateName(context), BearerToken(context), environment.options.insecure},
      request_id_(RequestIdOf(context)),
      peer_(context.peer()) {
  environment_.calls.Add(1);
  context.AddTrailingMetadata(kRequestId, request_id_);
}

absl::Status CallContext::Admit() {
  LTML_ASSIGN_OR_RETURN(user_, options().directory->Identify(proof_));
  LTML_RETURN_IF_ERROR(security::CheckRight(user_, method_.right));
  return options().limit->Take(user_.name, std::chrono::steady_clock::now());
}

service::Actor CallContext::actor() const {
  return {.user = user_.name,
          .all_jobs = user_.role == v1::ServerUser::ROLE_ADMIN,
          .request_id = request_id_};
}

grpc::Status CallContext::Conclude(const absl::Status& status) const {
  const bool telling = method_.changes || !(status.ok() || absl::IsCancelled(status));
  base::Log(telling ? base::LogLevel::kInfo : base::LogLevel::kDebug, "call",
            "request={} method={} user={} subject={} result={} message={}", request_id_,
            method_.name, base::LogValue(user_.name), base::LogValue(subject_),
            absl::StatusCodeToString(status.code()), base::LogValue(std::string(status.message())));
  if (method_.changes || IsDenied(status)) WriteAudit(status);
  return rpc::ToGrpc(status);
}

void CallContext::WriteAudit(const absl::Status& status) const {
  options().audit->Write({.request_id = request_id_,
                          .user = user_.name,
                          .peer = peer_,
                          .method = method_.name,
                          .subject = subject_,
                          .result = absl::StatusCodeToString(status.code()),
                          .message = std::string(status.message())});
}

}  // namespace ltml::coordinator
