#include "common/dataset/dataset.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::dataset {
namespace {

constexpr std::string_view kCure = "make the data set again with `ltml data import`";

absl::Status Damaged(const std::filesystem::path& file, std::string_view reason) {
  return absl::InvalidArgumentError(
      fmt::format("data set file '{}' {}; {}", file.string(), reason, kCure));
}

template <typename T>
absl::StatusOr<T> At(const std::filesystem::path& file, absl::StatusOr<T> result) {
  if (result.ok()) return result;
  return Damaged(file, fmt::format("is damaged: {}", std::string(result.status().message())));
}

absl::StatusOr<base::MappedFile> OpenSized(const std::filesystem::path& file, int64_t expected) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return Damaged(file, "is missing");
  LTML_ASSIGN_OR_RETURN(base::MappedFile mapped, base::MappedFile::Open(file));
  const auto got = static_cast<int64_t>(mapped.bytes().size());
  if (got != expected) {
    return Damaged(file, fmt::format("holds {} bytes, expected {} ({})", got, expected,
                                     got < expected ? "truncated" : "changed"));
  }
  return mapped;
}

absl::Status ReadInfo(const std::filesystem::path& folder, v1::DatasetInfo* info) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return absl::NotFoundError(
        fmt::format("there is no data set folder '{}'; correct the path or make it with "
                    "`ltml data import`",
                    folder.string()));
  }
  const std::filesystem::path file = folder / kInfoFile;
  if (!std::filesystem::exists(file, error)) {
    return absl::NotFoundError(
        fmt::format("'{}' is no data set: it has no {}; give a folder that `ltml data import` made",
                    folder.string(), kInfoFile));
  }
  const absl::Status status = base::ReadJsonFile(file, info);
  if (!status.ok()) {
    return Damaged(file, fmt::format("cannot be read: {}", std::string(status.message())));
  }
  const absl::Status checked = CheckInfo(*info);
  if (checked.ok()) return absl::OkStatus();
  return Damaged(file, fmt::format("is damaged: {}", std::string(checked.message())));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Dataset>> Dataset::Open(const std::filesystem::path& folder) {
  Dataset dataset;
  dataset.folder_ = folder;
  LTML_RETURN_IF_ERROR(ReadInfo(folder, &dataset.info_));
  for (const v1::ClassInfo& item : dataset.info_.classes()) {
    dataset.class_names_.push_back(item.name());
    dataset.class_counts_.push_back(item.images());
  }
  LTML_RETURN_IF_ERROR(dataset.OpenFiles());
  return std::make_shared<const Dataset>(std::move(dataset));
}

absl::Status Dataset::OpenFiles() {
  for (const v1::ShardInfo& shard : info_.shards()) {
    LTML_ASSIGN_OR_RETURN(base::MappedFile mapped,
                          OpenSized(folder_ / shard.file(), shard.bytes()));
    shards_.push_back(std::move(mapped));
  }
  const std::filesystem::path labels = folder_ / kLabelsFile, index = folder_ / kIndexFile;
  LTML_ASSIGN_OR_RETURN(labels_file_, OpenSized(labels, info_.labels_bytes()));
  LTML_ASSIGN_OR_RETURN(labels_, At(labels, DecodeLabels(labels_file_.bytes(), info_)));
  LTML_RETURN_IF_ERROR(OpenClassLists());
  LTML_ASSIGN_OR_RETURN(index_file_, OpenSized(index, info_.index_bytes()));
  LTML_ASSIGN_OR_RETURN(index_, At(index, DecodeIndex(index_file_.bytes(), info_)));
  return absl::OkStatus();
}

absl::Status Dataset::OpenClassLists() {
  if (info_.classes_bytes() == 0) {
    if (images() > sampling::kMaxListedImages) {
      return Damaged(folder_, fmt::format("holds {} images, expected at most {}", images(),
                                          sampling::kMaxListedImages));
    }
    made_lists_ = sampling::MakeClassLists(images(), classes(),
                                           [this](int64_t image) { return labels(image); });
    class_lists_ = made_lists_;
    return absl::OkStatus();
  }
  const std::filesystem::path file = folder_ / kClassesFile;
  LTML_ASSIGN_OR_RETURN(classes_file_, OpenSized(file, info_.classes_bytes()));
  LTML_ASSIGN_OR_RETURN(class_lists_, At(file, DecodeClasses(classes_file_.bytes(), info_)));
  return absl::OkStatus();
}

std::span<const uint32_t> Dataset::labels(int64_t image) const {
  const uint64_t begin = labels_.offsets[image], end = labels_.offsets[image + 1];
  return labels_.class_ids.subspan(begin, end - begin);
}

std::span<const std::byte> Dataset::bytes(int64_t image) const {
  const IndexEntry& entry = index_.entries[image];
  return shards_[entry.shard].bytes().subspan(entry.offset, entry.length);
}

std::string_view Dataset::name(int64_t image) const {
  const IndexEntry& entry = index_.entries[image];
  return index_.names.substr(entry.name_offset, entry.name_length);
}

}  // namespace ltml::dataset
