#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"
#include "common/image/codecs.h"
#include "common/image/decoder.h"
#include "common/image/image.h"
#include "common/image/jpeg_reader.h"
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

std::string_view TextOf(std::span<const std::byte> file) {
  return {reinterpret_cast<const char*>(file.data()), file.size()};
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

Decoder::Decoder(const DecodeOptions& options)
    : options_(options), jpeg_(std::make_unique<JpegReader>(options)) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

absl::StatusOr<Decoder::Size> Decoder::Open(std::span<const std::byte> file) {
  if (file.empty()) return absl::InvalidArgumentError("empty: the file has no bytes");
  if (static_cast<int64_t>(file.size()) > options_.max_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("too large: {} bytes, at most {} are read", file.size(), options_.max_bytes));
  }
  is_jpeg_ = TextOf(file).starts_with(kJpeg);
  return is_jpeg_ ? OpenJpeg(file) : OpenPng(file);
}

absl::StatusOr<Decoder::Size> Decoder::OpenJpeg(std::span<const std::byte> file) {
  LTML_ASSIGN_OR_RETURN(header_, jpeg_->Open(file));
  if (!options_.apply_orientation) header_.orientation = 1;
  const bool swaps = header_.orientation >= 5 && header_.orientation <= 8;
  return Size{swaps ? header_.height : header_.width, swaps ? header_.width : header_.height,
              header_.orientation == 1};
}

// Only read whole, and so at once.
absl::StatusOr<Decoder::Size> Decoder::OpenPng(std::span<const std::byte> file) {
  if (!TextOf(file).starts_with(kPng)) return UnknownType(TextOf(file));
  LTML_ASSIGN_OR_RETURN(Stored stored, DecodePng(file, options_));
  whole_ = options_.apply_orientation ? TurnUpright(std::move(stored.image), stored.orientation)
                                      : std::move(stored.image);
  return Size{whole_.width, whole_.height, false};
}

absl::StatusOr<Decoder::Part> Decoder::Read(Box box, int scale) {
  if (!is_jpeg_ || header_.orientation != 1) {
    if (is_jpeg_) {
      LTML_ASSIGN_OR_RETURN(whole_, ReadAll());
    }
    LTML_ASSIGN_OR_RETURN(const View view, ViewOf(whole_));
    return Part{view, 0, 0};
  }
  LTML_ASSIGN_OR_RETURN(const JpegReader::Part part, jpeg_->Read(box, scale, pixels_));
  const size_t stride = size_t{3} * part.width;
  return Part{{pixels_.data(), part.width, part.height, stride}, part.left, part.top};
}

absl::StatusOr<Image> Decoder::ReadAll() {
  if (!is_jpeg_) return whole_;
  Image image{header_.width, header_.height, {}};
  LTML_RETURN_IF_ERROR(jpeg_->Read({0, 0, header_.width, header_.height}, 1, image.rgb).status());
  return TurnUpright(std::move(image), header_.orientation);
}

int ScaleFor(Box crop, int size) {
  const int shorter = std::min(crop.right - crop.left, crop.bottom - crop.top);
  int scale = 8;
  while (scale > 1 && shorter < scale * size) scale /= 2;
  return scale;
}

absl::StatusOr<Image> Decode(std::span<const std::byte> file, const DecodeOptions& options) {
  Decoder decoder(options);
  LTML_RETURN_IF_ERROR(decoder.Open(file).status());
  return std::move(decoder).ReadAll();
}

}  // namespace ltml::image
