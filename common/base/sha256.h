#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ltml::base {

// Incremental SHA-256 (FIPS 180-4).  Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& Update(std::span<const std::byte> bytes);
  Sha256& Update(std::string_view text);
  // A 64-bit number as eight little-endian bytes.
  Sha256& Update(uint64_t number);

  // 64 lower-case hexadecimal digits.  Call once, last.
  std::string HexDigest();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// Digest of a whole file.
absl::StatusOr<std::string> FileSha256(const std::filesystem::path& file);

}  // namespace ltml::base
