#include "common/rpc/credentials.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <ctime>
#include <string_view>

#include "common/base/address.h"
#include "common/base/status_macros.h"
#include "common/rpc/pem.h"

namespace ltml::rpc {
namespace {

std::string TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

absl::Status CheckTimes(const X509* certificate, std::string_view what) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
    return absl::FailedPreconditionError(fmt::format("the {} ended at {}; issue a new one", what,
                                                     TimeOf(X509_get0_notAfter(certificate))));
  }
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
    return absl::FailedPreconditionError(
        fmt::format("the {} begins at {} only; is this machine's clock right?", what,
                    TimeOf(X509_get0_notBefore(certificate))));
  }
  return absl::OkStatus();
}

absl::Status CheckOwn(const TlsFiles& files) {
  LTML_ASSIGN_OR_RETURN(const CertificatePointer own,
                        ReadCertificate(files.certificate, "certificate"));
  LTML_ASSIGN_OR_RETURN(const KeyPointer key, ReadKey(files.key));
  const bool fit = X509_check_private_key(own.get(), key.get()) == 1;
  ERR_clear_error();
  if (!fit) {
    return absl::InvalidArgumentError("the key does not belong to the certificate");
  }
  return CheckTimes(own.get(), "certificate");
}

absl::Status CheckAuthority(const TlsFiles& files) {
  LTML_ASSIGN_OR_RETURN(const CertificatePointer authority,
                        ReadCertificate(files.authority, "authority"));
  return CheckTimes(authority.get(), "authority's certificate");
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentials(
    const std::string& address, const TlsFiles& files) {
  if (files.authority.empty()) {
    const auto parsed = base::ParseAddress(address);
    if (parsed && base::IsLocal(*parsed)) return grpc::InsecureChannelCredentials();
    return absl::FailedPreconditionError(
        fmt::format("no authority is known for the coordinator at {}, and nothing secret may cross "
                    "a network in plaintext",
                    address));
  }
  LTML_RETURN_IF_ERROR(CheckAuthority(files));
  if (files.certificate.empty() != files.key.empty()) {
    return absl::InvalidArgumentError("a certificate needs its key, and a key its certificate");
  }
  if (!files.certificate.empty()) LTML_RETURN_IF_ERROR(CheckOwn(files));
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = files.authority;
  options.pem_cert_chain = files.certificate;
  options.pem_private_key = files.key;
  return grpc::SslCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentials(const TlsFiles& files) {
  LTML_RETURN_IF_ERROR(CheckAuthority(files));
  LTML_RETURN_IF_ERROR(CheckOwn(files));
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = files.authority;
  options.pem_key_cert_pairs.push_back({files.key, files.certificate});
  return grpc::SslServerCredentials(options);
}

}  // namespace ltml::rpc
