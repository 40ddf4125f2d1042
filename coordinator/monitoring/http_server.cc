#include "coordinator/monitoring/http_server.h"

#include <civetweb.h>
#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/page/document.h"
#include "coordinator/monitoring/tls_front.h"

namespace ltml::monitoring {
namespace {

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return status < 500 ? "Refused" : "Failed";
  }
}

std::string HeadOf(const HttpResponse& response) {
  std::string head = fmt::format(
      "HTTP/1.1 {} {}\r\n"
      "Content-Type: {}\r\n"
      "Content-Length: {}\r\n"
      "Content-Security-Policy: {}\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "Referrer-Policy: no-referrer\r\n"
      "Cross-Origin-Resource-Policy: same-origin\r\n"
      "Cache-Control: no-store\r\n"
      "Connection: close\r\n",
      response.status, ReasonOf(response.status), response.content_type, response.body.size(),
      page::ContentSecurityPolicy());
  if (response.status == 405) head += "Allow: GET, HEAD\r\n";
  if (response.challenge) head += "WWW-Authenticate: Basic realm=\"ltml\", charset=\"UTF-8\"\r\n";
  return head + "\r\n";
}

std::string TextOrNone(const char* text) { return text == nullptr ? "" : text; }

HttpRequest RequestOf(mg_connection* connection, const mg_request_info& info) {
  HttpRequest request;
  request.path = TextOrNone(info.local_uri);
  request.query = ParseQuery(TextOrNone(info.query_string));
  request.host = TextOrNone(mg_get_header(connection, "Host"));
  request.authorization = TextOrNone(mg_get_header(connection, "Authorization"));
  return request;
}

void Write(mg_connection* connection, const HttpResponse& response, bool with_body) {
  const std::string answer = HeadOf(response) + (with_body ? response.body : "");
  mg_write(connection, answer.data(), answer.size());
}

class CivetServer final : public HttpServer {
 public:
  explicit CivetServer(HttpOptions options) : options_(std::move(options)) {
    mg_init_library(MG_FEATURES_DEFAULT);
  }
  ~CivetServer() override {
    front_.reset();
    if (context_ != nullptr) mg_stop(context_);
    mg_exit_library();
  }
  absl::Status Start();
  const std::string& address() const override { return address_; }

 private:
  int Answer(mg_connection* connection) const;
  static int OnRequest(mg_connection* connection);
  absl::Status StartCivet(const std::string& address);

  const HttpOptions options_;
  std::string address_;
  mg_context* context_ = nullptr;
  std::unique_ptr<TlsFront> front_;
};

// Requests that civetweb itself refuses: malformed, too long, too slow.
int OnError(mg_connection* connection, int status, const char* /*message*/) {
  Write(connection, {.status = status, .body = "The request was refused.\n"}, true);
  return 0;
}

// What clients do wrong is theirs; what has no connection is ours.
int OnMessage(const mg_connection* connection, const char* message) {
  base::Log(connection == nullptr ? base::LogLevel::kWarning : base::LogLevel::kDebug, "http",
            "reason={}", base::LogValue(message));
  return 1;
}

int CivetServer::OnRequest(mg_connection* connection) {
  const auto* self = static_cast<const CivetServer*>(mg_get_user_data(mg_get_context(connection)));
  return self->Answer(connection);
}

int CivetServer::Answer(mg_connection* connection) const {
  const mg_request_info& info = *mg_get_request_info(connection);
  const std::string_view method = info.request_method;
  HttpResponse response{.status = 405, .body = "GET and HEAD alone\n"};
  if (method == "GET" || method == "HEAD") {
    response = options_.handler(RequestOf(connection, info));
  }
  Write(connection, response, method != "HEAD");
  base::Log(base::LogLevel::kDebug, "http_request", "method={} path={} status={} bytes={}",
            base::LogValue(method), base::LogValue(TextOrNone(info.local_uri)), response.status,
            response.body.size());
  return response.status;
}

// "HOST:PORT" with another port.
std::string WithPort(const std::string& address, int port) {
  return fmt::format("{}:{}", address.substr(0, address.rfind(':')), port);
}

absl::Status CivetServer::StartCivet(const std::string& address) {
  const std::string connections = fmt::format("{}", kHttpConnections);
  const std::string waiting = fmt::format("{}", kHttpWaiting);
  const std::string bytes = fmt::format("{}", kHttpRequestBytes);
  const std::string timeout = fmt::format("{}", kHttpTimeoutMs);
  const std::vector<const char*> settings = {
      "listening_ports", address.c_str(), "num_threads", connections.c_str(), "connection_queue",
      waiting.c_str(), "max_request_size", bytes.c_str(), "request_timeout_ms", timeout.c_str(),
      "enable_keep_alive", "no",
      // No answer of its own to preflights.
      "access_control_allow_origin", "", nullptr};
  mg_callbacks callbacks{};
  callbacks.begin_request = &OnRequest;
  callbacks.http_error = &OnError;
  callbacks.log_message = &OnMessage;
  mg_init_data init{.callbacks = &callbacks,
                    .user_data = this,
                    .configuration_options = const_cast<const char**>(settings.data())};
  std::array<char, 256> text{};
  unsigned code = 0;
  mg_error_data error{.code = &code, .text = text.data(), .text_buffer_size = text.size()};
  context_ = mg_start2(&init, &error);
  if (context_ != nullptr) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("cannot serve HTTP on {} ({}): the address is taken, or is none of this machine; "
                  "change `http` in ltmld.toml",
                  address, text.data()));
}

absl::Status CivetServer::Start() {
  const bool tls = !options_.certificate.empty();
  LTML_RETURN_IF_ERROR(StartCivet(tls ? "127.0.0.1:0" : options_.address));
  mg_server_port port{};
  mg_get_server_ports(context_, 1, &port);
  address_ = WithPort(options_.address, port.port);
  if (!tls) return absl::OkStatus();
  LTML_ASSIGN_OR_RETURN(front_, TlsFront::Start({.address = options_.address,
                                                 .certificate = options_.certificate,
                                                 .key = options_.key,
                                                 .target_port = static_cast<uint16_t>(port.port),
                                                 .most_connections = kHttpConnections}));
  address_ = front_->address();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpOptions options) {
  auto server = std::make_unique<CivetServer>(std::move(options));
  LTML_RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace ltml::monitoring
