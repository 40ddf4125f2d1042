#include <array>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "common/image/codecs.h"
#include "common/image/image.h"
#include "common/image/orientation.h"
#include "fmt/format.h"

namespace ltml::image {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kJpeg = "\xFF\xD8\xFF"sv;
constexpr std::string_view kPng = "\x89PNG\r\n\x1A\n"sv;

constexpr int64_t kMaxSide = int64_t{1} << 20;

struct Container {
  std::string_view start;
  std::string_view name;
};
constexpr std::array<Container, 7> kUnsupported = {{{"GIF8"sv, "GIF"},
                                                    {"RIFF"sv, "WebP"},
                                                    {"BM"sv, "BMP"},
                                                    {"II*\0"sv, "TIFF"},
                                                    {"MM\0*"sv, "TIFF"},
                                                    {"\0\0\0\x0CjP"sv, "JPEG 2000"},
                                                    {"\xFF\x0A"sv, "JPEG XL"}}};

absl::Status UnknownType(std::string_view text) {
  for (const Container& container : kUnsupported) {
    if (text.starts_with(container.start)) {
      return absl::InvalidArgumentError(
          fmt::format("unsupported: a {} file, expected JPEG or PNG", container.name));
    }
  }
  return absl::InvalidArgumentError("unknown type: the first bytes are neither JPEG nor PNG");
}

absl::StatusOr<Stored> DecodeStored(std::span<const std::byte> file, const DecodeOptions& options) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.starts_with(kJpeg)) return DecodeJpeg(file, options);
  if (text.starts_with(kPng)) return DecodePng(file, options);
  return UnknownType(text);
}

}  // namespace

absl::Status CheckPixels(int64_t width, int64_t height, const DecodeOptions& options) {
  if (width < 1 || height < 1) {
    return absl::InvalidArgumentError(fmt::format("malformed: size {} x {}", width, height));
  }
  if (width > kMaxSide || height > kMaxSide) {
    return absl::InvalidArgumentError(fmt::format(
        "too large: {} x {} pixels, sides of at most {} are read", width, height, kMaxSide));
  }
  if (width <= options.max_pixels / height) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "too large: {} x {} pixels, at most {} pixels are read", width, height, options.max_pixels));
}

absl::StatusOr<Image> Decode(std::span<const std::byte> file, const DecodeOptions& options) {
  if (file.empty()) return absl::InvalidArgumentError("empty: the file has no bytes");
  if (static_cast<int64_t>(file.size()) > options.max_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("too large: {} bytes, at most {} are read", file.size(), options.max_bytes));
  }
  LTML_ASSIGN_OR_RETURN(Stored stored, DecodeStored(file, options));
  if (!options.apply_orientation) return std::move(stored.image);
  return TurnUpright(std::move(stored.image), stored.orientation);
}

}  // namespace ltml::image
