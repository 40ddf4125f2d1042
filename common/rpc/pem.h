#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ltml::rpc {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using CertificatePointer = std::unique_ptr<X509, Freed<X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

// The first certificate of a PEM text.  InvalidArgument tells that `what` is none.
absl::StatusOr<CertificatePointer> ReadCertificate(const std::string& text, std::string_view what);

// InvalidArgument also for a key with a passphrase: nobody is there to be asked for it.
absl::StatusOr<KeyPointer> ReadKey(const std::string& text);

}  // namespace ltml::rpc
