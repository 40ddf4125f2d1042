#pragma once

#include <string>
#include <string_view>

namespace ltml::tensorboard {

// `data` as a TFRecord, in little-endian order: its length (8 bytes), masked CRC32C of the length
// (4), data, masked CRC32C of the data (4).  Masked: turned right by 15 bits, plus 0xA282EAD8, so
// that records within records do not look sound by chance.
std::string Record(std::string_view data);

}  // namespace ltml::tensorboard
