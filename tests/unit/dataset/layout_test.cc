#include "common/dataset/layout.h"

#include <gmock/gmock.h>

#include <cstring>

namespace ltml::dataset {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::DatasetInfo Info() {
  v1::DatasetInfo info;
  info.set_format_version(kFormatVersion);
  info.set_images(2);
  for (const char* name : {"a", "b"}) {
    info.add_classes()->set_name(name);
    info.mutable_classes()->rbegin()->set_images(1);
  }
  info.add_shards()->set_file("shard-00000.tar");
  info.mutable_shards(0)->set_bytes(100);
  return info;
}

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

std::string LabelsFault(std::vector<uint64_t> offsets, std::vector<uint32_t> ids) {
  return std::string(DecodeLabels(Bytes(EncodeLabels(2, offsets, ids)), Info()).status().message());
}

std::string IndexFault(IndexEntry entry) {
  const std::vector<IndexEntry> entries = {entry, {0, 10, 0, 0, 1}};
  return std::string(DecodeIndex(Bytes(EncodeIndex(1, entries, "xy")), Info()).status().message());
}

// Pinned: the header, then two rows {1}, {0}.
TEST(Layout, BytesOfLabels) {
  const std::vector<uint64_t> offsets = {0, 1, 2};
  const std::vector<uint32_t> ids = {1, 0};
  const std::string expected(
      "LTMLLABL"
      "\1\0\0\0"
      "\2\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\0\0\0\0\0\0\0\0"
      "\1\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\1\0\0\0"
      "\0\0\0\0",
      64);
  const std::string got = EncodeLabels(2, offsets, ids);
  EXPECT_EQ(got, expected);
  const auto view = DecodeLabels(Bytes(got), Info());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(view->class_ids, ElementsAre(1u, 0u));
}

TEST(Layout, BytesOfIndex) {
  const std::vector<IndexEntry> entries = {
      {.offset = 7, .length = 8, .name_length = 1},
      {.offset = 9, .length = 91, .name_offset = 1, .name_length = 1}};
  const std::string got = EncodeIndex(1, entries, "xy");
  ASSERT_EQ(got.size(), 32u + 2 * 32 + 2);
  EXPECT_EQ(got.substr(0, 8), "LTMLINDX");
  EXPECT_EQ(got.substr(32, 17), std::string("\7\0\0\0\0\0\0\0\10\0\0\0\0\0\0\0\0", 17));
  const auto view = DecodeIndex(Bytes(got), Info());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->names, "xy");
  EXPECT_EQ(view->entries[1].length, 91u);
}

std::string ClassesFault(std::vector<int64_t> offsets, std::vector<uint32_t> images) {
  const std::string file = EncodeClasses(2, {offsets, images});
  return std::string(DecodeClasses(Bytes(file), Info()).status().message());
}

// Pinned: the header, then class a on image 1 and class b on image 0.
TEST(Layout, BytesOfClasses) {
  const std::vector<int64_t> offsets = {0, 1, 2};
  const std::vector<uint32_t> images = {1, 0};
  const std::string expected(
      "LTMLCLAS"
      "\1\0\0\0"
      "\2\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\0\0\0\0\0\0\0\0"
      "\1\0\0\0\0\0\0\0"
      "\2\0\0\0\0\0\0\0"
      "\1\0\0\0"
      "\0\0\0\0",
      64);
  const std::string got = EncodeClasses(2, {offsets, images});
  EXPECT_EQ(got, expected);
  const auto view = DecodeClasses(Bytes(got), Info());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(view->images, ElementsAre(1u, 0u));
}

TEST(Layout, RefusesWrongClasses) {
  EXPECT_THAT(ClassesFault({0, 2, 1}, {1, 0}), HasSubstr("'a' is 2, expected 1"));
  EXPECT_THAT(ClassesFault({0, 1, 9}, {1, 0}), HasSubstr("list of class 1 lies at [1, 9)"));
  EXPECT_THAT(ClassesFault({0, -1, 2}, {1, 0}), HasSubstr("list of class 0 lies at [0, -1)"));
  EXPECT_THAT(ClassesFault({1, 1, 2}, {1, 0}), HasSubstr("place of the first list is 1"));
  EXPECT_THAT(ClassesFault({0, 1, 2}, {1, 0, 1}),
              HasSubstr("end of the last list is 2, expected 3"));
  EXPECT_THAT(ClassesFault({0, 1, 2}, {1, 2}),
              HasSubstr("class 1 holds other than ascending images"));
  EXPECT_THAT(ClassesFault({0, 0, 1, 2}, {1, 0}), HasSubstr("is 3, expected 2"));
  v1::DatasetInfo twice = Info();
  for (auto& item : *twice.mutable_classes()) item.set_images(2);
  const std::vector<int64_t> offsets = {0, 2, 4};
  const std::vector<uint32_t> images = {0, 1, 1, 1};
  EXPECT_THAT(
      std::string(
          DecodeClasses(Bytes(EncodeClasses(2, {offsets, images})), twice).status().message()),
      HasSubstr("class 1 holds other than ascending images"));
}

TEST(Layout, RefusesWrongLabels) {
  EXPECT_THAT(LabelsFault({0, 2, 1}, {1}), HasSubstr("labels of image 0 lie at [0, 2)"));
  EXPECT_THAT(LabelsFault({1, 1, 2}, {1, 0}), HasSubstr("place of the first label is 1"));
  EXPECT_THAT(LabelsFault({0, 1, 1}, {1, 0}), HasSubstr("end of the last labels is 1, expected 2"));
  EXPECT_THAT(LabelsFault({0, 2, 2}, {1, 0}), HasSubstr("image 0 has class 0, expected ascending"));
  EXPECT_THAT(LabelsFault({0, 1, 2}, {1, 2}), HasSubstr("image 1 has class 2"));
  EXPECT_THAT(LabelsFault({0, 1, 2}, {1, 1}), HasSubstr("class 'a' is 0, expected 1"));
  EXPECT_THAT(LabelsFault({0, 0, 1, 2}, {1, 0}), HasSubstr("number of images is 3, expected 2"));
}

TEST(Layout, RefusesWrongIndexEntries) {
  EXPECT_EQ(IndexFault({0, 100, 0, 0, 2}), "");
  EXPECT_THAT(IndexFault({0, 101, 0, 0, 1}), HasSubstr("101 bytes at 0 of shard 0"));
  EXPECT_THAT(IndexFault({0, 0, 0, 0, 1}), HasSubstr("0 bytes at 0"));
  EXPECT_THAT(IndexFault({~uint64_t{0}, 2, 0, 0, 1}), HasSubstr("of shard 0, which has 100"));
  EXPECT_THAT(IndexFault({2, ~uint64_t{0}, 0, 0, 1}), HasSubstr("of shard 0, which has 100"));
  EXPECT_THAT(IndexFault({0, 1, 0, 1, 1}), HasSubstr("lies in shard 1, expected one below 1"));
  EXPECT_THAT(IndexFault({0, 1, ~uint64_t{0}, 0, 2}), HasSubstr("the name of image 0"));
  EXPECT_THAT(IndexFault({0, 1, 0, 0, 3}), HasSubstr("3 bytes at 0 of 2 bytes of names"));
}

TEST(Layout, RefusesShortFilesAndForeignOnes) {
  EXPECT_THAT(std::string(DecodeLabels(Bytes("LTML"), Info()).status().message()),
              HasSubstr("holds 4 bytes"));
  EXPECT_THAT(std::string(DecodeIndex(Bytes(std::string(64, 'x')), Info()).status().message()),
              HasSubstr("does not begin with 'LTMLINDX'"));
}

TEST(Layout, SizeOfHugeCountsDoesNotWrapAround) {
  const std::vector<uint64_t> offsets = {0, 0, 0};
  std::string labels = EncodeLabels(2, offsets, {});
  const uint64_t huge = uint64_t{1} << 62;  // x 4 bytes wraps to 0
  std::memcpy(labels.data() + 24, &huge, sizeof huge);
  EXPECT_THAT(std::string(DecodeLabels(Bytes(labels), Info()).status().message()),
              HasSubstr("holds 56 bytes, expected"));
}

}  // namespace
}  // namespace ltml::dataset
