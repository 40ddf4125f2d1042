#include "common/dataset/folder_writer.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"

namespace ltml::dataset {

FolderWriter::FolderWriter(std::filesystem::path folder, std::vector<std::string> class_names,
                           uint64_t shard_limit_bytes)
    : folder_(std::move(folder)),
      class_names_(std::move(class_names)),
      class_counts_(class_names_.size(), 0),
      fingerprint_(class_names_),
      shards_(folder_, shard_limit_bytes) {}

absl::Status FolderWriter::Add(const Item& item) {
  if (images() == sampling::kMaxListedImages) {
    return absl::InvalidArgumentError(
        fmt::format("a data set holds at most {} images", sampling::kMaxListedImages));
  }
  const std::string member = fmt::format("{:09}.{}", entries_.size(), item.extension);
  LTML_ASSIGN_OR_RETURN(const ShardWriter::Place place, shards_.Add(member, item.bytes));
  entries_.push_back({.offset = place.offset,
                      .length = item.bytes.size(),
                      .name_offset = names_.size(),
                      .shard = place.shard,
                      .name_length = static_cast<uint32_t>(item.name.size())});
  names_ += item.name;
  for (const uint32_t id : item.classes) ++class_counts_[id];
  label_ids_.insert(label_ids_.end(), item.classes.begin(), item.classes.end());
  label_offsets_.push_back(label_ids_.size());
  fingerprint_.AddImage(item.classes, item.name, item.bytes);
  return absl::OkStatus();
}

sampling::ClassLists FolderWriter::ListsByClass() const {
  const std::span<const uint32_t> ids(label_ids_);
  return sampling::MakeClassLists(
      images(), static_cast<int>(class_names_.size()), [&](int64_t image) {
        return ids.subspan(label_offsets_[image],
                           label_offsets_[image + 1] - label_offsets_[image]);
      });
}

absl::Status FolderWriter::WriteFiles(v1::DatasetInfo& info) {
  const auto shards = static_cast<size_t>(info.shards_size());
  const std::string index = EncodeIndex(shards, entries_, names_);
  const std::string labels =
      EncodeLabels(static_cast<int>(class_names_.size()), label_offsets_, label_ids_);
  LTML_RETURN_IF_ERROR(base::WriteFileAtomically(folder_ / kIndexFile, index));
  const std::string classes = EncodeClasses(images(), ListsByClass());
  LTML_RETURN_IF_ERROR(base::WriteFileAtomically(folder_ / kLabelsFile, labels));
  LTML_RETURN_IF_ERROR(base::WriteFileAtomically(folder_ / kClassesFile, classes));
  info.set_index_bytes(static_cast<int64_t>(index.size()));
  info.set_labels_bytes(static_cast<int64_t>(labels.size()));
  info.set_classes_bytes(static_cast<int64_t>(classes.size()));
  return base::WriteJsonFile(folder_ / kInfoFile, info);
}

absl::StatusOr<v1::DatasetInfo> FolderWriter::Finish() {
  LTML_ASSIGN_OR_RETURN(std::vector<v1::ShardInfo> shards, shards_.Finish());
  v1::DatasetInfo info;
  info.set_format_version(kFormatVersion);
  info.set_images(images());
  info.set_fingerprint(fingerprint_.Finish());
  for (v1::ShardInfo& shard : shards) *info.add_shards() = std::move(shard);
  for (size_t k = 0; k < class_names_.size(); ++k) {
    v1::ClassInfo* item = info.add_classes();
    item->set_name(class_names_[k]);
    item->set_images(class_counts_[k]);
  }
  LTML_RETURN_IF_ERROR(WriteFiles(info));
  return info;
}

}  // namespace ltml::dataset
