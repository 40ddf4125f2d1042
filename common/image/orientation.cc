#include "common/image/orientation.h"

#include <cstring>
#include <optional>
#include <utility>

namespace ltml::image {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;
constexpr uint16_t kTypeShort = 3;

// Reads integers of a TIFF block in its byte order; nothing beyond its end.
class TiffReader {
 public:
  TiffReader(std::span<const std::byte> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  std::optional<uint32_t> Read(size_t offset, size_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) return std::nullopt;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t at = offset + (big_endian_ ? i : size - 1 - i);
      value = value << 8 | std::to_integer<uint32_t>(bytes_[at]);
    }
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_;
};

std::optional<bool> IsBigEndian(std::span<const std::byte> tiff) {
  if (tiff.size() < 8) return std::nullopt;
  if (std::memcmp(tiff.data(), "MM\0*", 4) == 0) return true;
  if (std::memcmp(tiff.data(), "II*\0", 4) == 0) return false;
  return std::nullopt;
}

}  // namespace

int ParseOrientation(std::span<const std::byte> tiff) {
  const std::optional<bool> big_endian = IsBigEndian(tiff);
  if (!big_endian) return 1;
  const TiffReader reader(tiff, *big_endian);
  const size_t directory = *reader.Read(4, 4);
  const size_t entries = reader.Read(directory, 2).value_or(0);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    const std::optional<uint32_t> tag = reader.Read(entry, 2);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const bool is_short = reader.Read(entry + 2, 2) == kTypeShort;
    const uint32_t value = reader.Read(entry + 8, 2).value_or(1);
    return is_short && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image TurnUpright(Image image, int orientation) {
  if (orientation < 2 || orientation > 8 || image.rgb.empty()) return image;
  const bool swaps = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const std::ptrdiff_t column = from_right ? -3 : 3;
  const std::ptrdiff_t row = std::ptrdiff_t{3} * image.width * (from_bottom ? -1 : 1);
  const uint8_t* origin = image.rgb.data();
  if (from_right) origin += std::ptrdiff_t{3} * (image.width - 1);
  if (from_bottom) origin += std::ptrdiff_t{3} * image.width * (image.height - 1);

  Image out;
  out.width = swaps ? image.height : image.width;
  out.height = swaps ? image.width : image.height;
  out.rgb.resize(image.rgb.size());
  const std::ptrdiff_t step_x = swaps ? row : column;
  const std::ptrdiff_t step_y = swaps ? column : row;
  uint8_t* to = out.rgb.data();
  for (int y = 0; y < out.height; ++y) {
    const uint8_t* from = origin + y * step_y;
    for (int x = 0; x < out.width; ++x, from += step_x, to += 3) std::memcpy(to, from, 3);
  }
  return out;
}

}  // namespace ltml::image
