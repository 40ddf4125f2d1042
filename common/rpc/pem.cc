#include "common/rpc/pem.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace ltml::rpc {
namespace {

using BioPointer = std::unique_ptr<BIO, Freed<BIO_free>>;

BioPointer BioOf(const std::string& text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

absl::StatusOr<CertificatePointer> ReadCertificate(const std::string& text, std::string_view what) {
  CertificatePointer certificate(PEM_read_bio_X509(BioOf(text).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (certificate != nullptr) return certificate;
  return absl::InvalidArgumentError(fmt::format("the {} is no certificate in PEM form{}", what,
                                                text.empty() ? ": it is empty" : ""));
}

absl::StatusOr<KeyPointer> ReadKey(const std::string& text) {
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  KeyPointer key(PEM_read_bio_PrivateKey(BioOf(text).get(), nullptr, no_passphrase, nullptr));
  ERR_clear_error();
  if (key != nullptr) return key;
  return absl::InvalidArgumentError("the key is no private key in PEM form without a passphrase");
}

}  // namespace ltml::rpc
