#include "common/dataset/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "common/base/status_macros.h"
#include "common/dataset/layout.h"

namespace ltml::dataset {
namespace {

constexpr std::array<std::string_view, 3> kFormats = {"auto", "jsonl", "folder"};
constexpr std::array<std::string_view, 4> kLaterFormats = {"csv", "coco", "voc", "webdataset"};

template <typename List>
bool Contains(const List& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

absl::StatusOr<std::string> Detect(const std::filesystem::path& source) {
  std::error_code error;
  if (std::filesystem::exists(source / kInfoFile, error)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is an imported data set already; give the list or the folder that it was "
                    "made from",
                    source.string()));
  }
  if (std::filesystem::is_directory(source, error)) return "folder";
  if (source.extension() == ".jsonl") return "jsonl";
  return absl::InvalidArgumentError(
      fmt::format("cannot tell the format of '{}' from its name; give --format jsonl or --format "
                  "folder",
                  source.string()));
}

absl::Status CheckKind(const std::filesystem::path& source, std::string_view format) {
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(source, error);
  if (format == "folder" && !is_folder) {
    return absl::InvalidArgumentError(fmt::format(
        "'{}' is a file; format 'folder' needs a folder of class folders", source.string()));
  }
  if (format == "jsonl" && !std::filesystem::is_regular_file(source, error)) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is no file; format 'jsonl' needs a list with one JSON object a line",
                    source.string()));
  }
  return absl::OkStatus();
}

absl::Status CheckImagesFolder(const std::filesystem::path& images) {
  std::error_code error;
  if (std::filesystem::is_directory(images, error)) return absl::OkStatus();
  return absl::NotFoundError(
      fmt::format("there is no images folder '{}'; correct --images", images.string()));
}

absl::StatusOr<std::unique_ptr<Reader>> MakeJsonl(const SourceOptions& options) {
  std::filesystem::path images = options.images;
  if (images.empty()) images = options.source.parent_path();
  if (images.empty()) images = ".";
  LTML_RETURN_IF_ERROR(CheckImagesFolder(images));
  return MakeJsonlReader(options.source, images);
}

absl::StatusOr<std::unique_ptr<Reader>> MakeFolder(const SourceOptions& options) {
  if (!options.images.empty()) {
    return absl::InvalidArgumentError(
        "format 'folder' finds its images in the source itself; leave --images out");
  }
  return MakeFolderReader(options.source);
}

}  // namespace

absl::Status CheckFormat(std::string_view format) {
  if (Contains(kFormats, format)) return absl::OkStatus();
  if (Contains(kLaterFormats, format)) {
    return absl::InvalidArgumentError(
        fmt::format("format '{}' is not available in this version; use one of {}", format,
                    fmt::join(kFormats, ", ")));
  }
  return absl::InvalidArgumentError(
      fmt::format("there is no format '{}'; use one of {}", format, fmt::join(kFormats, ", ")));
}

absl::StatusOr<std::unique_ptr<Reader>> MakeReader(const SourceOptions& options) {
  LTML_RETURN_IF_ERROR(CheckFormat(options.format));
  std::error_code error;
  if (!std::filesystem::exists(options.source, error)) {
    return absl::NotFoundError(
        fmt::format("there is no file or folder '{}'; correct the path", options.source.string()));
  }
  std::string format = options.format;
  if (format == "auto") {
    LTML_ASSIGN_OR_RETURN(format, Detect(options.source));
  }
  LTML_RETURN_IF_ERROR(CheckKind(options.source, format));
  return format == "jsonl" ? MakeJsonl(options) : MakeFolder(options);
}

}  // namespace ltml::dataset
