#include "common/tensorboard/record.h"

#include <bit>
#include <cstdint>

#include "common/tensorboard/crc32c.h"

namespace ltml::tensorboard {
namespace {

template <typename Number>
std::string LittleEndian(Number number) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(number); ++i) {
    bytes += static_cast<char>(number >> (8 * i) & 0xFF);
  }
  return bytes;
}

std::string Checksum(std::string_view data) {
  return LittleEndian(std::rotr(Crc32c(data), 15) + uint32_t{0xA282EAD8});
}

}  // namespace

std::string Record(std::string_view data) {
  const std::string length = LittleEndian(uint64_t{data.size()});
  std::string record = length + Checksum(length);
  record += data;
  return record += Checksum(data);
}

}  // namespace ltml::tensorboard
