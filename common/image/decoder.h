#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/image/resizer.h"

namespace ltml::image {

class JpegReader;

// Size of a JPEG as stored, and how to turn it.
struct JpegHeader {
  int width = 0, height = 0;
  int orientation = 1;  // EXIF
};

// Decodes pictures one after another, whole or in part, into memory that is reused: nothing of ours
// is allocated for a JPEG no larger than those before it.  Errors and limits are those of Decode
// (image.h).  For one thread at a time.
class Decoder {
 public:
  explicit Decoder(const DecodeOptions& options = {});
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  struct Size {
    int width = 0, height = 0;  // upright, if the options say so
    // Whether the file itself can be read at a part of its size: a JPEG that needs no turning.
    bool scales = false;
  };
  // Reads the header.  `file` must live while its pixels are read.
  absl::StatusOr<Size> Open(std::span<const std::byte> file);

  // Pixels in memory of the decoder, valid until its next call.  view's pixel (0, 0) is the pixel
  // (left, top) of the picture at 1 / scale of its size.
  struct Part {
    View view;
    int left = 0, top = 0;
  };
  // At least the pixels under `box` of the file opened last: a box of the full-size picture, not
  // empty and within it.  scale: 1, or 2, 4 or 8 where the size says that it scales.  A pixel is
  // the same whatever the box is.  A JPEG is read down to the bottom of the box: damage below goes
  // unnoticed.
  absl::StatusOr<Part> Read(Box box, int scale);

  // All of the picture opened last; it must be undamaged to its end.
  absl::StatusOr<Image> ReadAll();

 private:
  absl::StatusOr<Size> OpenJpeg(std::span<const std::byte> file);
  absl::StatusOr<Size> OpenPng(std::span<const std::byte> file);

  DecodeOptions options_;
  std::unique_ptr<JpegReader> jpeg_;
  bool is_jpeg_ = false;
  JpegHeader header_;
  std::vector<uint8_t> pixels_;  // of parts
  Image whole_;                  // of what is only read whole
};

// Which scale of a JPEG to read so that a crop of it, resized to size x size pixels, is still
// shrunk or kept: the largest of 8, 4, 2 and 1 that leaves both sides of the crop at least `size`
// long.
int ScaleFor(Box crop, int size);

}  // namespace ltml::image
