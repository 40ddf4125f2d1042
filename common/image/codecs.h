#pragma once

#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "common/image/image.h"

// What the decoders of both containers share; JPEG's is jpeg_reader.h.
namespace ltml::image {

// A picture as it is stored, and how to turn it.
struct Stored {
  Image image;
  int orientation = 1;  // EXIF
};

absl::StatusOr<Stored> DecodePng(std::span<const std::byte> file, const DecodeOptions& options);

// InvalidArgument unless 1 <= width x height <= options.max_pixels with sides of at most 2^20.
absl::Status CheckPixels(int64_t width, int64_t height, const DecodeOptions& options);

}  // namespace ltml::image
