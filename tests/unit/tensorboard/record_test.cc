#include "common/tensorboard/record.h"

#include <gmock/gmock.h>

#include <string>

#include "common/tensorboard/crc32c.h"

namespace ltml::tensorboard {
namespace {

// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
TEST(Crc32c, GivesTheStandardsValues) {
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i);
  down.assign(up.rbegin(), up.rend());
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(up), 0x46DD794Eu);
  EXPECT_EQ(Crc32c(down), 0x113FDB5Cu);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

// The check value 0xE3069283 turned right by 15 bits is 0x2507C60D; plus the mask it is
// 0xC78AB0E5, lowest byte first.
TEST(Record, FramesDataBetweenChecksums) {
  const std::string record = Record("123456789");
  ASSERT_EQ(record.size(), 8u + 4 + 9 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x09\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 9), "123456789");
  EXPECT_EQ(record.substr(21), "\xE5\xB0\x8A\xC7");
}

}  // namespace
}  // namespace ltml::tensorboard
