#include "coordinator/monitoring/gate.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "common/base/address.h"

namespace ltml::monitoring {
namespace {

bool IsLoopbackHost(const std::string& host) {
  auto address = base::ParseAddress(host);
  if (!address) address = base::ParseAddress(host + ":80");  // a port is left out when it is 80
  return address && address->path.empty() && base::IsLocal(*address);
}

struct Credentials {
  std::string name;  // empty: not told
  std::string token;
};

std::optional<Credentials> ReadCredentials(const std::string& header) {
  const size_t space = header.find(' ');
  if (space == std::string::npos) return std::nullopt;
  const std::string scheme = header.substr(0, space), rest = header.substr(space + 1);
  if (absl::EqualsIgnoreCase(scheme, "Bearer")) return Credentials{"", rest};
  std::string pair;
  if (!absl::EqualsIgnoreCase(scheme, "Basic") || !absl::Base64Unescape(rest, &pair)) {
    return std::nullopt;
  }
  const size_t colon = pair.find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{pair.substr(0, colon), pair.substr(colon + 1)};
}

}  // namespace

std::optional<HttpResponse> Gate::Refuse(const HttpRequest& request) const {
  if (loopback_) {
    if (IsLoopbackHost(request.host)) return std::nullopt;
    return HttpResponse{.status = 403,
                        .body =
                            "This server answers by loopback names alone, such as "
                            "localhost or 127.0.0.1.\n"};
  }
  const HttpResponse unknown{.status = 401,
                             .body = "A user's token is needed: Authorization: Bearer TOKEN\n",
                             .challenge = true};
  const auto credentials = ReadCredentials(request.authorization);
  if (!credentials) return unknown;
  security::Proof proof;
  proof.bearer_token = credentials->token;
  const auto user = directory_.Identify(proof);
  if (!user.ok() || (!credentials->name.empty() && credentials->name != user->name)) {
    return unknown;
  }
  const absl::Status right = security::CheckRight(*user, security::Right::kView);
  if (right.ok()) return std::nullopt;
  return HttpResponse{.status = 403, .body = std::string(right.message()) + "\n"};
}

}  // namespace ltml::monitoring
