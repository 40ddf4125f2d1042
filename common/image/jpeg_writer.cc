#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "common/image/image.h"
#include "common/image/jpeg_errors.h"
#include "fmt/format.h"

namespace ltml::image {
namespace {

class JpegWriter {
 public:
  JpegWriter() {
    InitErrors(&errors_);
    std::memset(&info_, 0, sizeof(info_));
    info_.err = &errors_.base;
  }
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(buffer_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  absl::StatusOr<std::vector<std::byte>> Write(const Image& image, int quality) {
    const bool ok = Guarded(&errors_, [this, &image, quality] {
      jpeg_create_compress(&info_);
      jpeg_mem_dest(&info_, &buffer_, &size_);
      SetUp(image, quality);
      jpeg_start_compress(&info_, TRUE);
      while (info_.next_scanline < info_.image_height) {
        const size_t offset = size_t{3} * info_.image_width * info_.next_scanline;
        JSAMPROW row = const_cast<JSAMPROW>(image.rgb.data() + offset);
        jpeg_write_scanlines(&info_, &row, 1);
      }
      jpeg_finish_compress(&info_);
    });
    if (!ok) return StatusOf(errors_);
    const auto* bytes = reinterpret_cast<const std::byte*>(buffer_);
    return std::vector<std::byte>(bytes, bytes + size_);
  }

 private:
  void SetUp(const Image& image, int quality) {
    info_.image_width = static_cast<JDIMENSION>(image.width);
    info_.image_height = static_cast<JDIMENSION>(image.height);
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    const int sampling = quality < 90 ? 2 : 1;
    info_.comp_info[0].h_samp_factor = sampling;
    info_.comp_info[0].v_samp_factor = sampling;
  }

  JpegErrors errors_;
  jpeg_compress_struct info_;
  unsigned char* buffer_ = nullptr;
  unsigned long size_ = 0;  // NOLINT(google-runtime-int): libjpeg's type
};

}  // namespace

absl::StatusOr<std::vector<std::byte>> EncodeJpeg(const Image& image, int quality) {
  const bool fits = image.width >= 1 && image.height >= 1 && image.width <= JPEG_MAX_DIMENSION &&
                    image.height <= JPEG_MAX_DIMENSION;
  if (!fits || image.rgb.size() != size_t{3} * image.width * image.height) {
    return absl::InvalidArgumentError(
        fmt::format("cannot write a JPEG of {} x {} pixels from {} bytes; sides are 1..{}",
                    image.width, image.height, image.rgb.size(), JPEG_MAX_DIMENSION));
  }
  if (quality < 1 || quality > 100) {
    return absl::InvalidArgumentError(fmt::format("JPEG quality {} is not in 1..100", quality));
  }
  return JpegWriter().Write(image, quality);
}

}  // namespace ltml::image
