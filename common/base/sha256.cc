#include "common/base/sha256.h"

#include <openssl/evp.h>

#include <array>

#include "absl/strings/escaping.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"

namespace ltml::base {

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> state{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->state.get(), EVP_sha256(), nullptr);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::Update(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->state.get(), bytes.data(), bytes.size());
  return *this;
}

Sha256& Sha256::Update(std::string_view text) { return Update(std::as_bytes(std::span(text))); }

Sha256& Sha256::Update(uint64_t number) {
  std::array<std::byte, 8> bytes;
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(number & 0xff);
    number >>= 8;
  }
  return Update(bytes);
}

std::string Sha256::HexDigest() {
  std::array<unsigned char, 32> digest;
  EVP_DigestFinal_ex(context_->state.get(), digest.data(), nullptr);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), digest.size()));
}

absl::StatusOr<std::string> FileSha256(const std::filesystem::path& file) {
  LTML_ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::Open(file));
  return Sha256().Update(mapped.bytes()).HexDigest();
}

}  // namespace ltml::base
