#include "common/image/jpeg_reader.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/base/status_macros.h"
#include "common/image/codecs.h"
#include "common/image/orientation.h"

namespace ltml::image {
namespace {

constexpr std::string_view kExifHeader("Exif\0\0", 6);
constexpr int kRowsPerCall = 16;

// Pillow's arithmetic for the inverted inks that Adobe writes: ink (255 - value) over black.
void InksToRgb(const uint8_t* inks, int pixels, uint8_t* rgb) {
  for (int x = 0; x < pixels; ++x, inks += 4, rgb += 3) {
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - inks[c]) * inks[3] + 128;
      rgb[c] = static_cast<uint8_t>(std::max(0, inks[3] - ((product + (product >> 8)) >> 8)));
    }
  }
}

// The pixels of the scaled picture that lie under [begin, end) of the stored one.
struct Range {
  int begin, end;
};
Range Scaled(int begin, int end, int scale) { return {begin / scale, (end + scale - 1) / scale}; }

}  // namespace

JpegReader::JpegReader(const DecodeOptions& options) : options_(options) {
  InitErrors(&errors_);
  std::memset(&info_, 0, sizeof(info_));
  info_.err = &errors_.base;
  progress_.base.progress_monitor = OnProgress;
  progress_.max_scans = options.max_scans;
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&info_); }

void JpegReader::OnProgress(j_common_ptr common) {
  const auto* info = reinterpret_cast<j_decompress_ptr>(common);
  const auto* progress = reinterpret_cast<const Progress*>(common->progress);
  if (info->input_scan_number <= progress->max_scans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(common->err);
  errors->code = kTooManyScans;
  std::snprintf(errors->message, sizeof(errors->message), "over %d scans", progress->max_scans);
  LeaveCall(errors);
}

absl::StatusOr<JpegHeader> JpegReader::Open(std::span<const std::byte> file) {
  file_ = file;
  LTML_RETURN_IF_ERROR(ReadHeader());
  LTML_RETURN_IF_ERROR(CheckPixels(info_.image_width, info_.image_height, options_));
  return JpegHeader{static_cast<int>(info_.image_width), static_cast<int>(info_.image_height),
                    Orientation()};
}

absl::Status JpegReader::ReadHeader() {
  has_header_ = Guarded(&errors_, [this] {
    if (info_.mem == nullptr) {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_.base;
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    }
    jpeg_abort_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file_.data()), file_.size());
    jpeg_read_header(&info_, TRUE);
  });
  return has_header_ ? absl::OkStatus() : StatusOf(errors_);
}

absl::StatusOr<JpegReader::Part> JpegReader::Read(Box box, int scale, std::vector<uint8_t>& rgb) {
  if (!has_header_) LTML_RETURN_IF_ERROR(ReadHeader());
  has_header_ = false;
  LTML_RETURN_IF_ERROR(Start(scale));
  const Range columns = Scaled(box.left, box.right, scale);
  const Range rows = Scaled(box.top, box.bottom, scale);
  Part part{columns.begin, rows.begin, columns.end - columns.begin, rows.end - rows.begin};
  if (jpeg_has_multiple_scans(&info_) != 0) {
    part = {0, 0, static_cast<int>(info_.output_width), rows.end};
  } else {
    LTML_RETURN_IF_ERROR(CutColumns(part));
    LTML_RETURN_IF_ERROR(SkipRows(part.top));
  }
  LTML_RETURN_IF_ERROR(ReadRows(part, rgb));
  LTML_RETURN_IF_ERROR(Finish());
  return part;
}

absl::Status JpegReader::Start(int scale) {
  inks_ = info_.num_components == 4;
  info_.out_color_space = inks_ ? JCS_CMYK : JCS_RGB;
  info_.scale_num = 1;
  info_.scale_denom = static_cast<unsigned>(scale);
  // Coefficients of a file with several scans are kept whole: 2 bytes for each of up to 4 samples.
  const int64_t pixels = int64_t{info_.image_width} * info_.image_height;
  info_.mem->max_memory_to_use = (int64_t{64} << 20) + 8 * pixels;
  const bool ok = Guarded(&errors_, [this] { jpeg_start_decompress(&info_); });
  return ok ? absl::OkStatus() : StatusOf(errors_);
}

// libjpeg cuts at the borders of its blocks, and colours of the outermost column are not blended
// with those beyond: so one more column than needed on each side.
absl::Status JpegReader::CutColumns(Part& part) {
  const JDIMENSION width = info_.output_width;
  JDIMENSION left = std::max(part.left - 1, 0);
  JDIMENSION count = std::min<JDIMENSION>(part.left + part.width + 1, width) - left;
  if (count < width) {
    if (!Guarded(&errors_, [&] { jpeg_crop_scanline(&info_, &left, &count); })) {
      return StatusOf(errors_);
    }
  }
  part.left = static_cast<int>(left);
  part.width = static_cast<int>(info_.output_width);
  return absl::OkStatus();
}

absl::Status JpegReader::SkipRows(int rows) {
  if (rows == 0) return absl::OkStatus();
  const bool ok = Guarded(&errors_, [this, rows] { jpeg_skip_scanlines(&info_, rows); });
  return ok ? absl::OkStatus() : StatusOf(errors_);
}

// The memory grows with the rows, so that a cut file costs no more than the rows it holds.
absl::Status JpegReader::ReadRows(const Part& part, std::vector<uint8_t>& rgb) {
  const size_t row_bytes = size_t{3} * part.width;
  if (inks_)
    inks_block_.resize(std::max(inks_block_.size(), size_t{4} * part.width * kRowsPerCall));
  rgb.reserve(row_bytes * part.height);
  for (int done = 0; done < part.height; done += kRowsPerCall) {
    const int rows = std::min(kRowsPerCall, part.height - done);
    const size_t begin = row_bytes * done, end = row_bytes * (done + rows);
    if (rgb.size() < end) rgb.resize(end);
    uint8_t* const to = inks_ ? inks_block_.data() : rgb.data() + begin;
    if (!ReadBlock(to, inks_ ? size_t{4} * part.width : row_bytes, rows)) return StatusOf(errors_);
    if (inks_) InksToRgb(inks_block_.data(), rows * part.width, rgb.data() + begin);
  }
  return absl::OkStatus();
}

bool JpegReader::ReadBlock(uint8_t* to, size_t row_bytes, int rows) {
  JSAMPROW places[kRowsPerCall];
  for (int y = 0; y < rows; ++y) places[y] = to + row_bytes * y;
  return Guarded(&errors_, [&] {
    const JDIMENSION first = info_.output_scanline, end = first + rows;
    while (info_.output_scanline < end) {
      const JDIMENSION at = info_.output_scanline;
      jpeg_read_scanlines(&info_, places + (at - first), end - at);
    }
  });
}

// A picture read to its last row must have its end marker too.
absl::Status JpegReader::Finish() {
  const bool ok = Guarded(&errors_, [this] {
    if (info_.output_scanline == info_.output_height) {
      jpeg_finish_decompress(&info_);
    } else {
      jpeg_abort_decompress(&info_);
    }
  });
  return ok ? absl::OkStatus() : StatusOf(errors_);
}

int JpegReader::Orientation() const {
  for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view text(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (!text.starts_with(kExifHeader)) continue;
    const auto body = text.substr(kExifHeader.size());
    return ParseOrientation(std::as_bytes(std::span(body.data(), body.size())));
  }
  return 1;
}

}  // namespace ltml::image
