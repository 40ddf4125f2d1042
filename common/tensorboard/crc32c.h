#pragma once

#include <cstdint>
#include <string_view>

namespace ltml::tensorboard {

// CRC-32C (Castagnoli, RFC 3720 appendix B.4).  O(n), a byte at a time.
uint32_t Crc32c(std::string_view data);

}  // namespace ltml::tensorboard
