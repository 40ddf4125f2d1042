#include <spng.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/status_macros.h"
#include "common/image/codecs.h"
#include "common/image/orientation.h"
#include "fmt/format.h"

namespace ltml::image {
namespace {

constexpr size_t kSignatureBytes = 8;
constexpr size_t kChunkOverhead = 12;  // length, type, checksum
// Deflate cannot expand by more than this.
constexpr int64_t kLargestExpansion = 1032;

const char* KindOf(int error) {
  switch (error) {
    case SPNG_ECHUNK_CRC:
      return "bad checksum";
    case SPNG_IO_EOF:
    case SPNG_EOF:
    case SPNG_EIDAT_TOO_SHORT:
      return "truncated";
    case SPNG_EUSER_WIDTH:
    case SPNG_EUSER_HEIGHT:
    case SPNG_EOVERFLOW:
    case SPNG_EMEM:
    case SPNG_ECHUNK_LIMITS:
      return "too large";
    case SPNG_ECHUNK_UNKNOWN_CRITICAL:
      return "unsupported";
    default:
      return "malformed";
  }
}

absl::Status StatusOf(int error) {
  if (error == SPNG_OK) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{}: PNG, {}", KindOf(error), spng_strerror(error)));
}

// What of a PNG decides its pixels: critical chunks and tRNS.  The decoder sees nothing else, so
// text, profiles and their compressed bombs cost nothing.
struct Essence {
  std::vector<std::byte> file;
  int orientation = 1;
};

uint32_t BigEndian(const std::byte* bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(bytes[i]);
  return value;
}

bool DecidesPixels(std::string_view type) { return (type[0] & 0x20) == 0 || type == "tRNS"; }

absl::StatusOr<Essence> Extract(std::span<const std::byte> file) {
  Essence essence;
  essence.file.assign(file.begin(), file.begin() + kSignatureBytes);
  for (size_t at = kSignatureBytes; file.size() - at >= kChunkOverhead;) {
    const auto chunk = file.subspan(at);
    const size_t length = BigEndian(chunk.data());
    if (length > chunk.size() - kChunkOverhead) break;
    const std::string_view type(reinterpret_cast<const char*>(chunk.data()) + 4, 4);
    const auto whole = chunk.first(length + kChunkOverhead);
    if (DecidesPixels(type)) essence.file.insert(essence.file.end(), whole.begin(), whole.end());
    if (type == "eXIf") essence.orientation = ParseOrientation(whole.subspan(8, length));
    if (type == "IEND") return essence;
    at += whole.size();
  }
  return absl::InvalidArgumentError("truncated: PNG, the file ends before its IEND chunk");
}

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

absl::StatusOr<Context> Open(std::span<const std::byte> file) {
  Context context(spng_ctx_new(0));
  if (context == nullptr) return StatusOf(SPNG_EMEM);
  LTML_RETURN_IF_ERROR(
      StatusOf(spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_ERROR)));
  LTML_RETURN_IF_ERROR(StatusOf(spng_set_chunk_limits(context.get(), 1 << 20, 1 << 20)));
  LTML_RETURN_IF_ERROR(StatusOf(spng_set_png_buffer(context.get(), file.data(), file.size())));
  return context;
}

int Channels(uint8_t color_type) {
  switch (color_type) {
    case SPNG_COLOR_TYPE_TRUECOLOR:
      return 3;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      return 4;
    default:
      return 1;
  }
}

// Refuses a header that the file's own size cannot bear out, before memory is taken for it.
absl::Status CheckSize(const spng_ihdr& header, size_t file_bytes, const DecodeOptions& options) {
  LTML_RETURN_IF_ERROR(CheckPixels(header.width, header.height, options));
  const int64_t bits =
      int64_t{header.width} * header.height * Channels(header.color_type) * header.bit_depth;
  if (bits / 8 <= kLargestExpansion * static_cast<int64_t>(file_bytes)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("truncated: PNG, {} bytes cannot hold {} x {} pixels", file_bytes, header.width,
                  header.height));
}

bool HasAlpha(spng_ctx* context, const spng_ihdr& header) {
  spng_trns transparency;
  return (header.color_type & 4) != 0 || spng_get_trns(context, &transparency) == SPNG_OK;
}

// In place: 4 bytes a pixel become 3.
void LayOnWhite(std::vector<uint8_t>& rgba) {
  const size_t pixels = rgba.size() / 4;
  for (size_t i = 0; i < pixels; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      rgba[3 * i + c] =
          static_cast<uint8_t>((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  rgba.resize(3 * pixels);
}

}  // namespace

absl::StatusOr<Stored> DecodePng(std::span<const std::byte> file, const DecodeOptions& options) {
  LTML_ASSIGN_OR_RETURN(const Essence essence, Extract(file));
  LTML_ASSIGN_OR_RETURN(const Context context, Open(essence.file));
  spng_ihdr header;
  LTML_RETURN_IF_ERROR(StatusOf(spng_get_ihdr(context.get(), &header)));
  LTML_RETURN_IF_ERROR(CheckSize(header, essence.file.size(), options));
  // Up to the image data: faults there are told by this call only.
  LTML_RETURN_IF_ERROR(StatusOf(spng_decode_chunks(context.get())));

  const bool alpha = HasAlpha(context.get(), header);
  Stored stored;
  stored.orientation = essence.orientation;
  stored.image.width = static_cast<int>(header.width);
  stored.image.height = static_cast<int>(header.height);
  stored.image.rgb.resize(size_t{header.width} * header.height * (alpha ? 4 : 3));
  LTML_RETURN_IF_ERROR(StatusOf(
      spng_decode_image(context.get(), stored.image.rgb.data(), stored.image.rgb.size(),
                        alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8, alpha ? SPNG_DECODE_TRNS : 0)));
  LTML_RETURN_IF_ERROR(StatusOf(spng_decode_chunks(context.get())));
  if (alpha) LayOnWhite(stored.image.rgb);
  return stored;
}

}  // namespace ltml::image
