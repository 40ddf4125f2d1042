// The one file that talks to libjpeg.  libjpeg reports an error by longjmp out of the call: every
// call sits in a lambda run by Guarded, and those lambdas own nothing that has a destructor.
#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

// jpeglib.h needs <cstdio> before it, jerror.h needs jpeglib.h.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "common/base/status_macros.h"
#include "common/image/codecs.h"
#include "common/image/image.h"
#include "common/image/orientation.h"
#include "fmt/format.h"

namespace ltml::image {
namespace {

constexpr std::string_view kExifHeader("Exif\0\0", 6);
constexpr int kTooManyScans = -1;
constexpr int kRowsPerCall = 16;

struct ErrorManager {
  jpeg_error_mgr base;  // first, so that a pointer to it is a pointer to the whole
  jmp_buf jump;
  int code;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void Leave(ErrorManager* errors) { longjmp(errors->jump, 1); }

[[noreturn]] void OnError(j_common_ptr common) {
  auto* errors = reinterpret_cast<ErrorManager*>(common->err);
  errors->code = common->err->msg_code;
  common->err->format_message(common, errors->message);
  Leave(errors);
}

// Warnings speak of damaged data, but for two that only remark on unusual headers.
void OnMessage(j_common_ptr common, int level) {
  const int code = common->err->msg_code;
  if (level < 0 && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR) OnError(common);
}

void InitErrors(ErrorManager* errors) {
  jpeg_std_error(&errors->base);
  errors->base.error_exit = OnError;
  errors->base.emit_message = OnMessage;
  errors->code = 0;
  errors->message[0] = '\0';
}

// Runs a libjpeg call; false when it failed and `errors` says why.
template <typename Call>
bool Guarded(ErrorManager* errors, const Call& call) {
  if (setjmp(errors->jump) != 0) return false;
  call();
  return true;
}

const char* KindOf(int code) {
  switch (code) {
    case kTooManyScans:
      return "too many scans";
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JERR_INPUT_EOF:
    case JERR_INPUT_EMPTY:
      return "truncated";
    case JERR_IMAGE_TOO_BIG:
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
    case JERR_WIDTH_OVERFLOW:
      return "too large";
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED:
      return "unsupported";
    default:
      return "malformed";
  }
}

absl::Status StatusOf(const ErrorManager& errors) {
  return absl::InvalidArgumentError(
      fmt::format("{}: JPEG, {}", KindOf(errors.code), errors.message));
}

// Pillow's arithmetic for the inverted inks that Adobe writes: ink (255 - value) over black.
void InksToRgb(const uint8_t* inks, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, inks += 4, rgb += 3) {
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - inks[c]) * inks[3] + 128;
      rgb[c] = static_cast<uint8_t>(std::max(0, inks[3] - ((product + (product >> 8)) >> 8)));
    }
  }
}

class JpegReader {
 public:
  explicit JpegReader(const DecodeOptions& options) : options_(options) {
    InitErrors(&errors_);
    std::memset(&info_, 0, sizeof(info_));
    info_.err = &errors_.base;
    progress_.base.progress_monitor = OnProgress;
    progress_.max_scans = options.max_scans;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  absl::StatusOr<Stored> Read(std::span<const std::byte> file) {
    LTML_RETURN_IF_ERROR(ReadHeader(file));
    LTML_RETURN_IF_ERROR(CheckPixels(info_.image_width, info_.image_height, options_));
    LTML_RETURN_IF_ERROR(Start());
    Stored stored;
    LTML_RETURN_IF_ERROR(ReadRows(stored.image));
    stored.orientation = Orientation();
    if (!Guarded(&errors_, [this] { jpeg_finish_decompress(&info_); })) return StatusOf(errors_);
    return stored;
  }

 private:
  struct Progress {
    jpeg_progress_mgr base = {};
    int max_scans = 0;
  };

  static void OnProgress(j_common_ptr common) {
    const auto* info = reinterpret_cast<j_decompress_ptr>(common);
    const auto* progress = reinterpret_cast<const Progress*>(common->progress);
    if (info->input_scan_number <= progress->max_scans) return;
    auto* errors = reinterpret_cast<ErrorManager*>(common->err);
    errors->code = kTooManyScans;
    std::snprintf(errors->message, sizeof(errors->message), "over %d scans", progress->max_scans);
    Leave(errors);
  }

  absl::Status ReadHeader(std::span<const std::byte> file) {
    const bool ok = Guarded(&errors_, [this, file] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_.base;
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
      jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file.data()), file.size());
      jpeg_read_header(&info_, TRUE);
    });
    return ok ? absl::OkStatus() : StatusOf(errors_);
  }

  absl::Status Start() {
    inks_ = info_.num_components == 4;
    info_.out_color_space = inks_ ? JCS_CMYK : JCS_RGB;
    // Coefficients of a file with several scans are kept whole: 2 bytes for each of up to 4
    // samples.
    const int64_t pixels = int64_t{info_.image_width} * info_.image_height;
    info_.mem->max_memory_to_use = (int64_t{64} << 20) + 8 * pixels;
    const bool ok = Guarded(&errors_, [this] { jpeg_start_decompress(&info_); });
    return ok ? absl::OkStatus() : StatusOf(errors_);
  }

  // The image grows row by row, so that a cut file costs no more memory than the rows it holds.
  absl::Status ReadRows(Image& image) {
    image.width = static_cast<int>(info_.output_width);
    image.height = static_cast<int>(info_.output_height);
    const size_t row_bytes = size_t{3} * info_.output_width;
    const size_t in_bytes = size_t{info_.output_width} * (inks_ ? 4 : 3);
    std::vector<uint8_t> block(in_bytes * kRowsPerCall);
    image.rgb.reserve(row_bytes * info_.output_height);
    while (info_.output_scanline < info_.output_height) {
      int rows = 0;
      if (!ReadBlock(block.data(), in_bytes, &rows)) return StatusOf(errors_);
      const size_t begin = image.rgb.size();
      if (!inks_) {
        image.rgb.insert(image.rgb.end(), block.data(), block.data() + rows * row_bytes);
        continue;
      }
      image.rgb.resize(begin + rows * row_bytes);
      InksToRgb(block.data(), rows * image.width, image.rgb.data() + begin);
    }
    return absl::OkStatus();
  }

  bool ReadBlock(uint8_t* block, size_t stride, int* rows) {
    return Guarded(&errors_, [=, this] {
      while (*rows < kRowsPerCall && info_.output_scanline < info_.output_height) {
        JSAMPROW row = block + *rows * stride;
        *rows += static_cast<int>(jpeg_read_scanlines(&info_, &row, 1));
      }
    });
  }

  int Orientation() const {
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const std::string_view text(reinterpret_cast<const char*>(marker->data), marker->data_length);
      if (!text.starts_with(kExifHeader)) continue;
      const auto body = text.substr(kExifHeader.size());
      return ParseOrientation(std::as_bytes(std::span(body.data(), body.size())));
    }
    return 1;
  }

  const DecodeOptions& options_;
  ErrorManager errors_;
  jpeg_decompress_struct info_;
  Progress progress_;
  bool inks_ = false;
};

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

  ErrorManager errors_;
  jpeg_compress_struct info_;
  unsigned char* buffer_ = nullptr;
  unsigned long size_ = 0;  // NOLINT(google-runtime-int): libjpeg's type
};

}  // namespace

absl::StatusOr<Stored> DecodeJpeg(std::span<const std::byte> file, const DecodeOptions& options) {
  return JpegReader(options).Read(file);
}

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
