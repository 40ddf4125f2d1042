#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "common/image/decoder.h"
#include "common/image/image.h"
#include "common/image/jpeg_errors.h"

namespace ltml::image {

// Reads JPEGs one after another; libjpeg's memory is kept.  For one thread at a time.
class JpegReader {
 public:
  explicit JpegReader(const DecodeOptions& options);
  ~JpegReader();
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // `file` must live until the next call of Open.
  absl::StatusOr<JpegHeader> Open(std::span<const std::byte> file);

  // Where the pixels of Read lie in the picture, in pixels of its scaled size.
  struct Part {
    int left = 0, top = 0, width = 0, height = 0;
  };
  // The pixels under `box` (in pixels of the stored picture, not empty and within it) and perhaps
  // some to its left and right, at 1 / scale of the size: scale is 1, 2, 4 or 8.  A pixel is the
  // same whatever the box is.  `rgb` becomes at least as large as needed and never smaller; it
  // grows with the rows that the file holds.  What lies below the box is not read, nor its damage
  // noticed.
  absl::StatusOr<Part> Read(Box box, int scale, std::vector<uint8_t>& rgb);

 private:
  struct Progress {
    jpeg_progress_mgr base = {};
    int max_scans = 0;
  };

  static void OnProgress(j_common_ptr common);
  absl::Status ReadHeader();
  absl::Status Start(int scale);
  absl::Status CutColumns(Part& part);
  absl::Status SkipRows(int rows);
  absl::Status ReadRows(const Part& part, std::vector<uint8_t>& rgb);
  bool ReadBlock(uint8_t* to, size_t row_bytes, int rows);
  absl::Status Finish();
  int Orientation() const;

  const DecodeOptions options_;
  std::span<const std::byte> file_;
  bool has_header_ = false;
  bool inks_ = false;
  std::vector<uint8_t> inks_block_;
  JpegErrors errors_;
  Progress progress_;
  jpeg_decompress_struct info_;
};

}  // namespace ltml::image
