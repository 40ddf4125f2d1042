#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ltml::image {

// RGB, 8 bits a channel, row-major without padding: rgb[(y * width + x) * 3 + channel].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

struct DecodeOptions {
  bool apply_orientation = true;         // turn upright by EXIF orientation 1..8
  int64_t max_pixels = 178'000'000;      // width x height; each side <= 2^20
  int max_scans = 100;                   // of a progressive JPEG
  int64_t max_bytes = int64_t{1} << 30;  // of the encoded file
};

// JPEG (grey, YCbCr, RGB, CMYK, YCCK; baseline and progressive) or PNG (all colour types and
// depths, interlaced; alpha laid on white), told apart by content.  Bytes after the end of the
// picture are ignored; a JPEG without its end marker is truncated; four-component JPEGs are taken
// as Adobe writes them (inverted); a broken EXIF block is ignored.  InvalidArgument "<kind>:
// <detail>" for anything else, for damaged or truncated data and for what is over a limit, where
// kind is one of empty, unknown type, unsupported, malformed, bad checksum, truncated, too large,
// too many scans. Never aborts; memory is taken as far as the file's own size bears out its header.
// Thread-safe.
absl::StatusOr<Image> Decode(std::span<const std::byte> file, const DecodeOptions& options);

// Pixels [left, right) x [top, bottom).
struct Box {
  int left = 0, top = 0, right = 0, bottom = 0;
};

// Antialiased bilinear resize of `box` alone, as if it had been cut out first: triangle filter
// widened by the scale when shrinking, half-pixel centres, horizontal pass first with uint8
// between. Equals torchvision v2 resize(antialias=True) on uint8 within one level.
absl::StatusOr<Image> Resize(const Image& image, Box box, int out_width, int out_height);

// The pixels of `window` of the whole image resized to out_width x out_height, at the cost of the
// window alone.  The window lies within the output.
absl::StatusOr<Image> ResizeWindow(const Image& image, int out_width, int out_height, Box window);

// The image centred on a white square of `side` pixels, its aspect ratio kept: shrunk with Resize's
// filter when its longer side is over `side`, else unscaled.
absl::StatusOr<Image> FitOnWhiteSquare(const Image& image, int side);

// Baseline JPEG, 4:2:0 below quality 90 and 4:4:4 from there on.  quality 1..100.
absl::StatusOr<std::vector<std::byte>> EncodeJpeg(const Image& image, int quality);

}  // namespace ltml::image
