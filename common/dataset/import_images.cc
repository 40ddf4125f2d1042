#include "common/dataset/import_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "common/base/files.h"
#include "common/base/parallel.h"
#include "common/base/status_macros.h"
#include "common/dataset/threads.h"
#include "common/image/image.h"

namespace ltml::dataset {
namespace {

constexpr int kJpegQuality = 90;

bool LiesBelow(const std::filesystem::path& root, const std::filesystem::path& file) {
  return std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
}

PreparedImage Bad(std::string fault) {
  PreparedImage image;
  image.fault = std::move(fault);
  return image;
}

// A fault of where the picture lies; none when it is a file below the root.
PreparedImage Locate(const Record& record, const PrepareOptions& options) {
  std::error_code error;
  const auto file = std::filesystem::canonical(record.file, error);
  if (error) {
    return Bad(fmt::format("image '{}' is missing in '{}' ({}); correct the path or --images",
                           record.name, options.root.string(), error.message()));
  }
  if (!LiesBelow(options.root, file)) {
    PreparedImage outside =
        Bad(fmt::format("image '{}' is a link to '{}' outside the images folder '{}'; copy the "
                        "file into it",
                        record.name, file.string(), options.root.string()));
    outside.may_be_skipped = false;
    return outside;
  }
  if (!std::filesystem::is_regular_file(file, error)) {
    return Bad(fmt::format("image '{}' is not a file; correct the path", record.name));
  }
  return {};
}

absl::StatusOr<PreparedImage> Encode(std::string bytes, const PrepareOptions& options) {
  const auto view = std::as_bytes(std::span<const char>(bytes));
  LTML_ASSIGN_OR_RETURN(const image::Image picture, image::Decode(view, {}));
  PreparedImage prepared;
  if (options.resize_short_side == 0) {
    prepared.extension = bytes.starts_with("\x89PNG") ? "png" : "jpg";
    prepared.bytes = std::move(bytes);
    return prepared;
  }
  LTML_ASSIGN_OR_RETURN(const image::Image square,
                        image::FitOnWhiteSquare(picture, options.resize_short_side));
  LTML_ASSIGN_OR_RETURN(const std::vector<std::byte> jpeg, image::EncodeJpeg(square, kJpegQuality));
  prepared.extension = "jpg";
  prepared.bytes.assign(reinterpret_cast<const char*>(jpeg.data()), jpeg.size());
  return prepared;
}

PreparedImage Prepare(const Record& record, const PrepareOptions& options) {
  PreparedImage located = Locate(record, options);
  if (!located.fault.empty()) return located;
  auto bytes = base::ReadFile(record.file, image::DecodeOptions{}.max_bytes);
  if (!bytes.ok()) {
    return Bad(fmt::format("image '{}': {}; correct or remove it", record.name,
                           std::string(bytes.status().message())));
  }
  auto prepared = Encode(*std::move(bytes), options);
  if (prepared.ok()) return *std::move(prepared);
  return Bad(fmt::format("image '{}' cannot be decoded: {}; repair or remove it", record.name,
                         std::string(prepared.status().message())));
}

}  // namespace

std::vector<PreparedImage> PrepareImages(std::span<const Candidate> candidates,
                                         const PrepareOptions& options) {
  std::vector<PreparedImage> prepared(candidates.size());
  base::ParallelFor(static_cast<int64_t>(candidates.size()), WorkerThreads(),
                    [&](int64_t i) { prepared[i] = Prepare(*candidates[i].record, options); });
  return prepared;
}

}  // namespace ltml::dataset
