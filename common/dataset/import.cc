#include "common/dataset/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <system_error>
#include <utility>

#include "common/base/status_macros.h"
#include "common/dataset/class_table.h"
#include "common/dataset/folder_writer.h"
#include "common/dataset/import_images.h"
#include "common/dataset/import_records.h"
#include "common/dataset/reader.h"
#include "common/dataset/staging.h"
#include "common/dataset/threads.h"

namespace ltml::dataset {
namespace {

constexpr int kLargestSide = 65500;  // of a JPEG

absl::Status CheckOptions(const ImportOptions& options) {
  LTML_RETURN_IF_ERROR(CheckFormat(options.format));
  if (options.destination.empty()) return absl::InvalidArgumentError("no destination was given");
  if (options.resize_short_side >= 0 && options.resize_short_side <= kLargestSide) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format("--resize {} is out of range; expected 1 to {}",
                                                options.resize_short_side, kLargestSide));
}

absl::StatusOr<ClassTable> MakeTable(const ImportOptions& options, const Listing& listing,
                                     Faults& faults) {
  if (!options.classes.empty()) return ClassTable::Read(options.classes);
  ClassTable table = ClassTable::FromListing(listing);
  if (table.names().empty() && faults.empty()) {
    faults.Add(0,
               "no image has a label, so there are no classes; label the images or give "
               "--classes");
  }
  return table;
}

// Turns candidates into a data set folder, chunk by chunk.
class ImageImport {
 public:
  ImageImport(const ImportOptions& options, Faults& faults, FolderWriter& writer)
      : options_(options), faults_(faults), writer_(writer) {}

  absl::Status Run(const std::filesystem::path& root, std::span<const Candidate> candidates) {
    std::error_code error;
    const PrepareOptions prepare{std::filesystem::canonical(root, error),
                                 options_.resize_short_side};
    if (error) {
      return absl::InternalError(
          fmt::format("cannot resolve the folder '{}': {}", root.string(), error.message()));
    }
    const auto total = static_cast<int64_t>(candidates.size());
    for (int64_t done = 0; done < total; done += ChunkImages()) {
      if (options_.stop && options_.stop()) {
        return absl::CancelledError("import stopped; no data set was written");
      }
      const auto chunk = candidates.subspan(done, std::min(ChunkImages(), total - done));
      const std::vector<PreparedImage> images = PrepareImages(chunk, prepare);
      for (size_t i = 0; i < chunk.size(); ++i) {
        LTML_RETURN_IF_ERROR(Store(chunk[i], images[i]));
      }
      if (options_.progress) options_.progress(done + static_cast<int64_t>(chunk.size()), total);
    }
    return absl::OkStatus();
  }

  std::vector<std::string> TakeWarnings() { return std::move(warnings_); }

 private:
  absl::Status Store(const Candidate& candidate, const PreparedImage& image) {
    const Record& record = *candidate.record;
    if (image.fault.empty()) {
      if (!faults_.empty()) return absl::OkStatus();
      return writer_.Add({.name = record.name,
                          .classes = candidate.classes,
                          .bytes = std::as_bytes(std::span<const char>(image.bytes)),
                          .extension = image.extension});
    }
    if (options_.skip_bad_images && image.may_be_skipped) {
      const std::string where = record.line > 0 ? fmt::format("line {}: ", record.line) : "";
      warnings_.push_back(fmt::format("{}skipped: {}", where, image.fault));
    } else if (image.may_be_skipped) {
      faults_.Add(record.line, image.fault + ", or give --on-bad-image skip");
    } else {
      faults_.Add(record.line, image.fault);
    }
    return absl::OkStatus();
  }

  const ImportOptions& options_;
  Faults& faults_;
  FolderWriter& writer_;
  std::vector<std::string> warnings_;
};

void WarnOfEmptyClasses(const v1::DatasetInfo& info, std::vector<std::string>& warnings) {
  for (const v1::ClassInfo& item : info.classes()) {
    if (item.images() == 0) {
      warnings.push_back(fmt::format("class '{}' has no image", item.name()));
    }
  }
}

}  // namespace

absl::StatusOr<ImportResult> Import(const ImportOptions& options) {
  LTML_RETURN_IF_ERROR(CheckOptions(options));
  LTML_ASSIGN_OR_RETURN(const auto reader,
                        MakeReader({options.source, options.format, options.images}));
  LTML_ASSIGN_OR_RETURN(StagingFolder staging, StagingFolder::Create(options.destination));
  Faults faults;
  LTML_ASSIGN_OR_RETURN(Listing listing, reader->Read(faults));
  LTML_ASSIGN_OR_RETURN(const ClassTable table, MakeTable(options, listing, faults));
  const std::vector<Candidate> candidates = CheckRecords(listing, table, faults);

  FolderWriter writer(staging.path(), table.names());
  ImageImport images(options, faults, writer);
  LTML_RETURN_IF_ERROR(images.Run(listing.root, candidates));
  if (faults.empty() && writer.images() == 0) {
    faults.Add(0, "no image is left after the bad ones were skipped; check the images folder");
  }
  LTML_RETURN_IF_ERROR(faults.ToStatus(options.source.string()));

  ImportResult result;
  result.warnings = std::move(listing.warnings);
  for (std::string& warning : images.TakeWarnings()) result.warnings.push_back(std::move(warning));
  LTML_ASSIGN_OR_RETURN(result.info, writer.Finish());
  LTML_RETURN_IF_ERROR(staging.Commit());
  WarnOfEmptyClasses(result.info, result.warnings);
  return result;
}

}  // namespace ltml::dataset
