#include "common/rpc/tls_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <memory>

#include "common/base/address.h"
#include "common/base/connect.h"
#include "common/rpc/pem.h"

namespace ltml::rpc {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;

constexpr unsigned char kHttp2[] = {2, 'h', '2'};

// OpenSSL writes to sockets so that a connection that is gone ends the program.
class PipeSignalsHeld {
 public:
  PipeSignalsHeld() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~PipeSignalsHeld() {
    const timespec now{};
    ::sigtimedwait(&pipe_, nullptr, &now);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  PipeSignalsHeld(const PipeSignalsHeld&) = delete;
  PipeSignalsHeld& operator=(const PipeSignalsHeld&) = delete;

 private:
  sigset_t pipe_, before_;
};

bool IsIpAddress(const std::string& host) {
  in6_addr parsed{};
  return ::inet_pton(AF_INET, host.c_str(), &parsed) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

Context MakeContext(const TlsFiles& files) {
  Context context(SSL_CTX_new(TLS_client_method()));
  const auto authority = ReadCertificate(files.authority, "authority");
  if (context == nullptr || !authority.ok()) return nullptr;
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority->get());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (files.certificate.empty()) return context;
  const auto own = ReadCertificate(files.certificate, "certificate");
  const auto key = ReadKey(files.key);
  if (!own.ok() || !key.ok()) return nullptr;
  SSL_CTX_use_certificate(context.get(), own->get());
  SSL_CTX_use_PrivateKey(context.get(), key->get());
  return context;
}

Session MakeSession(SSL_CTX* context, const std::string& host, int descriptor) {
  Session session(SSL_new(context));
  if (session == nullptr) return nullptr;
  SSL_set_fd(session.get(), descriptor);
  SSL_set_alpn_protos(session.get(), kHttp2, sizeof kHttp2);
  if (IsIpAddress(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), host.c_str());
  } else {
    SSL_set_tlsext_host_name(session.get(), host.c_str());
    SSL_set1_host(session.get(), host.c_str());
  }
  return session;
}

// Calls `step` again and again while it wants to read or write.  What the last one returned.
template <typename Step>
int Drive(SSL* session, int descriptor, Clock::time_point deadline, const Step& step) {
  while (true) {
    const int result = step();
    const int want = SSL_get_error(session, result);
    if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE) return result;
    pollfd entry{descriptor, static_cast<short>(want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    if (::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0))) <= 0) return 1;
  }
}

absl::Status Untrusted(long reason) {
  return absl::FailedPreconditionError(
      fmt::format("its certificate cannot be trusted: {}; an admin makes a new one, or the "
                  "client.toml is another server's",
                  X509_verify_cert_error_string(reason)));
}

// gRPC closes such a connection without a word.
absl::Status Refused() {
  return absl::UnauthenticatedError(
      "it closes the connection at this certificate: another authority than the server's has "
      "signed "
      "it, or a clock is wrong; ask an admin for a new one (`ltmld user`)");
}

absl::Status Probe(SSL* session, int descriptor, Clock::time_point deadline) {
  if (Drive(session, descriptor, deadline, [=] { return SSL_connect(session); }) <= 0) {
    const long reason = SSL_get_verify_result(session);
    return reason == X509_V_OK ? absl::OkStatus() : Untrusted(reason);
  }
  // With TLS 1.3 the server judges our certificate after the handshake; one that takes it sends its
  // settings.
  char byte = 0;
  const int read =
      Drive(session, descriptor, deadline, [&] { return SSL_read(session, &byte, 1); });
  return read <= 0 && SSL_get_certificate(session) != nullptr ? Refused() : absl::OkStatus();
}

}  // namespace

absl::Status ProbeTls(const std::string& address, const TlsFiles& files,
                      std::chrono::nanoseconds limit) {
  const auto target = base::ParseAddress(address);
  const Context context = MakeContext(files);
  if (!target || context == nullptr) return absl::OkStatus();
  const Clock::time_point deadline = Clock::now() + limit;
  const auto socket = base::ConnectTo(*target, limit);
  if (!socket.ok()) return absl::OkStatus();
  const std::string host = target->host.empty() ? "localhost" : target->host;
  const Session session = MakeSession(context.get(), host, socket->number());
  if (session == nullptr) return absl::OkStatus();
  const PipeSignalsHeld held;
  ERR_clear_error();
  absl::Status judged = Probe(session.get(), socket->number(), deadline);
  ERR_clear_error();
  return judged;
}

}  // namespace ltml::rpc
