#include "coordinator/security/certificates.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "common/base/host_name.h"
#include "common/base/status_macros.h"
#include "common/rpc/pem.h"

namespace ltml::security {
namespace {

using Bio = std::unique_ptr<BIO, rpc::Freed<BIO_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, rpc::Freed<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, rpc::Freed<BN_free>>;

constexpr int kVersion3 = 2;
constexpr int kSerialBits = 127;  // positive, and at most 20 bytes (RFC 5280, 4.1.2.2)
// Clocks of a pool's machines differ.
constexpr std::chrono::minutes kHeadStart(5);
constexpr std::chrono::hours kAuthorityLifetime(24 * 3650);
constexpr size_t kLongestName = 64;  // of a common name (RFC 5280, ub-common-name)

absl::Status Fault(const char* what) {
  char text[256] = "no reason given";
  if (const unsigned long error = ERR_get_error(); error != 0) {
    ERR_error_string_n(error, text, sizeof(text));
  }
  ERR_clear_error();
  return absl::InternalError(fmt::format("OpenSSL cannot {}: {}", what, text));
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

absl::Status SetSerial(X509* certificate) {
  const Number serial(BN_new());
  if (serial == nullptr ||
      BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return Fault("make a serial number");
  }
  return absl::OkStatus();
}

absl::Status SetTimes(X509* certificate, std::chrono::seconds lifetime) {
  const auto early = std::chrono::duration_cast<std::chrono::seconds>(kHeadStart);
  if (X509_gmtime_adj(X509_getm_notBefore(certificate), -early.count()) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(certificate), lifetime.count()) == nullptr) {
    return Fault("set a certificate's times");
  }
  return absl::OkStatus();
}

absl::Status AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  if (extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1) {
    return absl::OkStatus();
  }
  return Fault("add an extension to a certificate");
}

struct Draft {
  std::string name;
  std::chrono::seconds lifetime;
  std::vector<std::pair<int, std::string>> extensions;
};

struct Issuer {
  X509* certificate;  // null: signs itself
  EVP_PKEY* key;
};

absl::StatusOr<rpc::CertificatePointer> Sign(const Draft& draft, EVP_PKEY* key,
                                             const Issuer& issuer) {
  rpc::CertificatePointer certificate(X509_new());
  if (certificate == nullptr || X509_set_version(certificate.get(), kVersion3) != 1) {
    return Fault("make a certificate");
  }
  LTML_RETURN_IF_ERROR(SetSerial(certificate.get()));
  LTML_RETURN_IF_ERROR(SetTimes(certificate.get(), draft.lifetime));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* name = reinterpret_cast<const unsigned char*>(draft.name.data());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name,
                                 static_cast<int>(draft.name.size()), -1, 0) != 1) {
    return Fault("set a certificate's name");
  }
  X509* signer = issuer.certificate != nullptr ? issuer.certificate : certificate.get();
  if (X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer)) != 1 ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return Fault("make a certificate");
  }
  for (const auto& [kind, value] : draft.extensions) {
    LTML_RETURN_IF_ERROR(AddExtension(certificate.get(), signer, kind, value));
  }
  if (X509_sign(certificate.get(), issuer.key, EVP_sha256()) == 0) {
    return Fault("sign a certificate");
  }
  return certificate;
}

absl::StatusOr<Certificate> ToPem(X509* certificate, EVP_PKEY* key) {
  const Bio text(BIO_new(BIO_s_mem())), key_text(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(text.get(), certificate) != 1 ||
      PEM_write_bio_PrivateKey(key_text.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Fault("write a certificate");
  }
  return Certificate{.certificate = TextOf(text.get()), .key = TextOf(key_text.get())};
}

bool IsIpAddress(const std::string& text) {
  in6_addr parsed{};
  return ::inet_pton(AF_INET, text.c_str(), &parsed) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &parsed) == 1;
}

// "DNS:node1, IP:10.0.0.1"
absl::StatusOr<std::string> AlternativeNames(const std::vector<std::string>& addresses) {
  std::vector<std::string> names;
  for (const std::string& address : addresses) {
    if (IsIpAddress(address)) {
      names.push_back("IP:" + address);
    } else if (base::IsHostName(address)) {
      names.push_back("DNS:" + address);
    } else {
      return absl::InvalidArgumentError(
          fmt::format("'{}' is neither a host name nor an IP address", address));
    }
  }
  return fmt::format("{}", fmt::join(names, ","));
}

}  // namespace

absl::StatusOr<Certificate> MakeAuthority(const std::string& name) {
  const rpc::KeyPointer key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Fault("make a key");
  const Draft draft{.name = name,
                    .lifetime = kAuthorityLifetime,
                    .extensions = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                   {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                   {NID_subject_key_identifier, "hash"}}};
  LTML_ASSIGN_OR_RETURN(const rpc::CertificatePointer certificate,
                        Sign(draft, key.get(), {.certificate = nullptr, .key = key.get()}));
  return ToPem(certificate.get(), key.get());
}

absl::StatusOr<Certificate> Issue(const Certificate& authority, const CertificateRequest& request) {
  if (request.common_name.empty() || request.common_name.size() > kLongestName) {
    return absl::InvalidArgumentError(fmt::format(
        "a certificate's name takes 1 to {} bytes, got '{}'", kLongestName, request.common_name));
  }
  LTML_ASSIGN_OR_RETURN(const std::string names, AlternativeNames(request.addresses));
  LTML_ASSIGN_OR_RETURN(const rpc::CertificatePointer signer,
                        rpc::ReadCertificate(authority.certificate, "authority"));
  LTML_ASSIGN_OR_RETURN(const rpc::KeyPointer signer_key, rpc::ReadKey(authority.key));
  const rpc::KeyPointer key(EVP_EC_gen("P-256"));
  if (key == nullptr) return Fault("make a key");
  Draft draft{.name = request.common_name,
              .lifetime = request.lifetime,
              .extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                             {NID_key_usage, "critical,digitalSignature"},
                             {NID_ext_key_usage, request.server ? "serverAuth" : "clientAuth"},
                             {NID_subject_key_identifier, "hash"},
                             {NID_authority_key_identifier, "keyid:always"}}};
  if (!names.empty()) draft.extensions.emplace_back(NID_subject_alt_name, names);
  LTML_ASSIGN_OR_RETURN(
      const rpc::CertificatePointer certificate,
      Sign(draft, key.get(), {.certificate = signer.get(), .key = signer_key.get()}));
  return ToPem(certificate.get(), key.get());
}

absl::StatusOr<std::chrono::system_clock::time_point> ExpiryOf(const std::string& certificate) {
  LTML_ASSIGN_OR_RETURN(const rpc::CertificatePointer read,
                        rpc::ReadCertificate(certificate, "text"));
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(read.get()), &parts) != 1) {
    return absl::InvalidArgumentError("the certificate has no readable end");
  }
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace ltml::security
