#include "common/dataset/layout.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>

#include "absl/container/flat_hash_set.h"
#include "common/base/status_macros.h"

namespace ltml::dataset {
namespace {

static_assert(std::endian::native == std::endian::little, "files are mapped as they are");

constexpr char kLabelsMagic[8] = {'L', 'T', 'M', 'L', 'L', 'A', 'B', 'L'};
constexpr char kClassesMagic[8] = {'L', 'T', 'M', 'L', 'C', 'L', 'A', 'S'};
constexpr char kIndexMagic[8] = {'L', 'T', 'M', 'L', 'I', 'N', 'D', 'X'};

// All files start with the same 32 bytes.
struct Header {
  char magic[8];
  uint32_t version;
  uint32_t groups;  // shards in index.bin, classes in the others
  uint64_t images;
  uint64_t extent;  // bytes of names in index.bin, labels in the others
};
static_assert(sizeof(Header) == 32);

template <typename T>
void Append(std::string& out, std::span<const T> values) {
  if (values.empty()) return;
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

std::string EncodeHeader(const char (&magic)[8], uint32_t groups, uint64_t images,
                         uint64_t extent) {
  Header header{{}, kFormatVersion, groups, images, extent};
  std::memcpy(header.magic, magic, sizeof magic);
  return std::string(reinterpret_cast<const char*>(&header), sizeof header);
}

template <typename T>
absl::Status Expect(std::string_view what, T got, T expected) {
  if (got == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} is {}, expected {}", what, got, expected));
}

absl::StatusOr<Header> DecodeHeader(std::span<const std::byte> bytes, const char (&magic)[8],
                                    uint64_t images, uint64_t groups) {
  Header header;
  if (bytes.size() < sizeof header) {
    return absl::InvalidArgumentError(
        fmt::format("holds {} bytes, expected at least {}", bytes.size(), sizeof header));
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, magic, sizeof magic) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("does not begin with '{}'", std::string_view(magic, sizeof magic)));
  }
  LTML_RETURN_IF_ERROR(Expect<uint64_t>("format version", header.version, kFormatVersion));
  LTML_RETURN_IF_ERROR(Expect<uint64_t>("number of images", header.images, images));
  LTML_RETURN_IF_ERROR(Expect<uint64_t>("number of classes or shards", header.groups, groups));
  return header;
}

// bytes.size() == prefix + rows * unit + extent * extent_unit, without overflow.
absl::Status CheckSize(std::span<const std::byte> bytes, uint64_t prefix, uint64_t rows,
                       uint64_t unit, uint64_t extent, uint64_t extent_unit) {
  const auto expected = static_cast<unsigned __int128>(rows) * unit + prefix +
                        static_cast<unsigned __int128>(extent) * extent_unit;
  if (expected == bytes.size()) return absl::OkStatus();
  const bool fits = expected <= std::numeric_limits<uint64_t>::max();
  return absl::InvalidArgumentError(
      fmt::format("holds {} bytes, expected {}", bytes.size(),
                  fits ? fmt::to_string(static_cast<uint64_t>(expected)) : "more than 2^64"));
}

absl::Status CheckRow(const LabelsView& view, size_t image, std::span<int64_t> counts) {
  const uint64_t begin = view.offsets[image], end = view.offsets[image + 1];
  if (begin > end || end > view.class_ids.size()) {
    return absl::InvalidArgumentError(
        fmt::format("labels of image {} lie at [{}, {}), expected ascending places up to {}", image,
                    begin, end, view.class_ids.size()));
  }
  for (uint64_t i = begin; i < end; ++i) {
    const uint32_t id = view.class_ids[i];
    if (id >= counts.size() || (i > begin && id <= view.class_ids[i - 1])) {
      return absl::InvalidArgumentError(fmt::format(
          "image {} has class {}, expected ascending classes below {}", image, id, counts.size()));
    }
    ++counts[id];
  }
  return absl::OkStatus();
}

absl::Status CheckRows(const LabelsView& view, const v1::DatasetInfo& info) {
  LTML_RETURN_IF_ERROR(Expect<uint64_t>("place of the first label", view.offsets.front(), 0));
  LTML_RETURN_IF_ERROR(
      Expect<uint64_t>("end of the last labels", view.offsets.back(), view.class_ids.size()));
  std::vector<int64_t> counts(info.classes_size(), 0);
  for (size_t image = 0; image + 1 < view.offsets.size(); ++image) {
    LTML_RETURN_IF_ERROR(CheckRow(view, image, std::span<int64_t>(counts)));
  }
  for (int k = 0; k < info.classes_size(); ++k) {
    LTML_RETURN_IF_ERROR(
        Expect<int64_t>(fmt::format("number of images of class '{}'", info.classes(k).name()),
                        counts[k], info.classes(k).images()));
  }
  return absl::OkStatus();
}

// The list of class k: as many images as info has, ascending.
absl::Status CheckList(const sampling::ClassListsView& view, int k, const v1::DatasetInfo& info) {
  const int64_t begin = view.offsets[k], end = view.offsets[k + 1];
  if (begin < 0 || begin > end || end > std::ssize(view.images)) {
    return absl::InvalidArgumentError(
        fmt::format("the list of class {} lies at [{}, {}), expected ascending places up to {}", k,
                    begin, end, view.images.size()));
  }
  LTML_RETURN_IF_ERROR(
      Expect<int64_t>(fmt::format("the list of class '{}'", info.classes(k).name()), end - begin,
                      info.classes(k).images()));
  int64_t last = -1;
  bool ascending = true;
  for (const uint32_t image : view.images.subspan(begin, end - begin)) {
    ascending = ascending && image > last;
    last = image;
  }
  if (ascending && last < info.images()) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "the list of class {} holds other than ascending images below {}", k, info.images()));
}

absl::Status CheckEntry(const IndexEntry& entry, size_t image, size_t names_bytes,
                        const v1::DatasetInfo& info) {
  const auto shards = static_cast<uint32_t>(info.shards_size());
  if (entry.shard >= shards) {
    return absl::InvalidArgumentError(fmt::format(
        "image {} lies in shard {}, expected one below {}", image, entry.shard, shards));
  }
  const auto size = static_cast<uint64_t>(info.shards(static_cast<int>(entry.shard)).bytes());
  if (entry.length == 0 || entry.offset > size || entry.length > size - entry.offset) {
    return absl::InvalidArgumentError(
        fmt::format("image {} is {} bytes at {} of shard {}, which has {} bytes", image,
                    entry.length, entry.offset, entry.shard, size));
  }
  if (entry.name_offset > names_bytes || entry.name_length > names_bytes - entry.name_offset) {
    return absl::InvalidArgumentError(
        fmt::format("the name of image {} is {} bytes at {} of {} bytes of names", image,
                    entry.name_length, entry.name_offset, names_bytes));
  }
  return absl::OkStatus();
}

absl::Status CheckClasses(const v1::DatasetInfo& info) {
  if (info.classes().empty()) return absl::InvalidArgumentError("has no classes");
  absl::flat_hash_set<std::string> seen;
  for (const v1::ClassInfo& item : info.classes()) {
    if (item.name().empty()) return absl::InvalidArgumentError("has a class without a name");
    if (!seen.insert(item.name()).second) {
      return absl::InvalidArgumentError(fmt::format("has the class '{}' twice", item.name()));
    }
    if (item.images() < 0 || item.images() > info.images()) {
      return absl::InvalidArgumentError(fmt::format("gives class '{}' {} of {} images", item.name(),
                                                    item.images(), info.images()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ShardName(size_t shard) { return fmt::format("shard-{:05}.tar", shard); }

std::string EncodeLabels(int classes, std::span<const uint64_t> offsets,
                         std::span<const uint32_t> class_ids) {
  std::string out = EncodeHeader(kLabelsMagic, static_cast<uint32_t>(classes), offsets.size() - 1,
                                 class_ids.size());
  Append(out, offsets);
  Append(out, class_ids);
  return out;
}

std::string EncodeClasses(int64_t images, const sampling::ClassListsView& lists) {
  std::string out = EncodeHeader(kClassesMagic, static_cast<uint32_t>(lists.classes()),
                                 static_cast<uint64_t>(images), lists.images.size());
  Append(out, lists.offsets);
  Append(out, lists.images);
  return out;
}

std::string EncodeIndex(size_t shards, std::span<const IndexEntry> entries,
                        std::string_view names) {
  std::string out =
      EncodeHeader(kIndexMagic, static_cast<uint32_t>(shards), entries.size(), names.size());
  Append(out, entries);
  out.append(names);
  return out;
}

absl::StatusOr<LabelsView> DecodeLabels(std::span<const std::byte> bytes,
                                        const v1::DatasetInfo& info) {
  const auto images = static_cast<uint64_t>(info.images());
  LTML_ASSIGN_OR_RETURN(const Header header,
                        DecodeHeader(bytes, kLabelsMagic, images, info.classes_size()));
  LTML_RETURN_IF_ERROR(CheckSize(bytes, sizeof header + 8, images, 8, header.extent, 4));
  const std::byte* offsets = bytes.data() + sizeof header;
  const std::byte* class_ids = offsets + 8 * (images + 1);
  const LabelsView view{{reinterpret_cast<const uint64_t*>(offsets), images + 1},
                        {reinterpret_cast<const uint32_t*>(class_ids), header.extent}};
  LTML_RETURN_IF_ERROR(CheckRows(view, info));
  return view;
}

absl::StatusOr<sampling::ClassListsView> DecodeClasses(std::span<const std::byte> bytes,
                                                       const v1::DatasetInfo& info) {
  const auto images = static_cast<uint64_t>(info.images());
  const auto classes = static_cast<uint64_t>(info.classes_size());
  LTML_ASSIGN_OR_RETURN(const Header header, DecodeHeader(bytes, kClassesMagic, images, classes));
  LTML_RETURN_IF_ERROR(CheckSize(bytes, sizeof header + 8, classes, 8, header.extent, 4));
  const std::byte* offsets = bytes.data() + sizeof header;
  const std::byte* listed = offsets + 8 * (classes + 1);
  const sampling::ClassListsView view{{reinterpret_cast<const int64_t*>(offsets), classes + 1},
                                      {reinterpret_cast<const uint32_t*>(listed), header.extent}};
  LTML_RETURN_IF_ERROR(Expect<int64_t>("place of the first list", view.offsets.front(), 0));
  for (int k = 0; k < info.classes_size(); ++k) LTML_RETURN_IF_ERROR(CheckList(view, k, info));
  LTML_RETURN_IF_ERROR(
      Expect<int64_t>("end of the last list", view.offsets.back(), std::ssize(view.images)));
  return view;
}

absl::StatusOr<IndexView> DecodeIndex(std::span<const std::byte> bytes,
                                      const v1::DatasetInfo& info) {
  const auto images = static_cast<uint64_t>(info.images());
  LTML_ASSIGN_OR_RETURN(const Header header,
                        DecodeHeader(bytes, kIndexMagic, images, info.shards_size()));
  LTML_RETURN_IF_ERROR(
      CheckSize(bytes, sizeof header, images, sizeof(IndexEntry), header.extent, 1));
  const std::byte* entries = bytes.data() + sizeof header;
  const std::byte* names = entries + images * sizeof(IndexEntry);
  const IndexView view{{reinterpret_cast<const IndexEntry*>(entries), images},
                       {reinterpret_cast<const char*>(names), header.extent}};
  for (size_t image = 0; image < images; ++image) {
    LTML_RETURN_IF_ERROR(CheckEntry(view.entries[image], image, view.names.size(), info));
  }
  return view;
}

absl::Status CheckInfo(const v1::DatasetInfo& info) {
  LTML_RETURN_IF_ERROR(Expect<int64_t>("format version", info.format_version(), kFormatVersion));
  if (info.images() < 1) {
    return absl::InvalidArgumentError(
        fmt::format("number of images is {}, expected at least 1", info.images()));
  }
  LTML_RETURN_IF_ERROR(CheckClasses(info));
  for (int s = 0; s < info.shards_size(); ++s) {
    LTML_RETURN_IF_ERROR(Expect<std::string_view>("name of a shard", info.shards(s).file(),
                                                  ShardName(static_cast<size_t>(s))));
  }
  return absl::OkStatus();
}

}  // namespace ltml::dataset
