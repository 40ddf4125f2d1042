#include "common/dataset/shard_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include "tests/unit/dataset/fixture.h"

namespace ltml::dataset {
namespace {

using ShardWriterTest = FolderTest;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

// Members of 1 to 3000 bytes in shards of 8 KiB: each shard keeps its limit, libarchive reads every
// member back, and the bytes stand where the writer said.
TEST_F(ShardWriterTest, SplitsKeepsLimitsAndTellsPlaces) {
  constexpr int kMembers = 40;
  ShardWriter writer(At(""), 8192);
  std::vector<std::string> contents;
  std::vector<ShardWriter::Place> places;
  for (int i = 0; i < kMembers; ++i) {
    contents.push_back(std::string(1 + i * 2999 / (kMembers - 1), static_cast<char>('a' + i % 26)));
    const auto place = writer.Add("m" + std::to_string(i), Bytes(contents.back()));
    ASSERT_TRUE(place.ok()) << place.status();
    places.push_back(*place);
  }
  const auto shards = writer.Finish();
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_GT(shards->size(), 5u);
  for (const v1::ShardInfo& shard : *shards) {
    EXPECT_LE(shard.bytes(), 8192);
    EXPECT_EQ(std::filesystem::file_size(At(shard.file())), static_cast<size_t>(shard.bytes()));
  }
  for (int i = 0; i < kMembers; ++i) {
    const std::string shard = Read(At((*shards)[places[i].shard].file()));
    EXPECT_EQ(shard.substr(places[i].offset, contents[i].size()), contents[i]) << i;
  }
  int next = 0;
  for (const v1::ShardInfo& shard : *shards) {
    archive* reader = archive_read_new();
    archive_read_support_format_tar(reader);
    ASSERT_EQ(archive_read_open_filename(reader, At(shard.file()).c_str(), 4096), ARCHIVE_OK);
    archive_entry* entry = nullptr;
    for (; archive_read_next_header(reader, &entry) == ARCHIVE_OK; ++next) {
      EXPECT_EQ(archive_entry_pathname(entry), "m" + std::to_string(next));
      EXPECT_EQ(archive_entry_size(entry), static_cast<int64_t>(contents[next].size()));
    }
    archive_read_free(reader);
  }
  EXPECT_EQ(next, kMembers);
}

TEST_F(ShardWriterTest, AMemberOverTheLimitHasItsOwnShard) {
  ShardWriter writer(At(""), 2048);
  const std::string small(10, 's'), large(5000, 'l');
  for (const std::string& content : {small, large, small}) {
    ASSERT_TRUE(writer.Add("m", Bytes(content)).ok());
  }
  const auto shards = writer.Finish();
  ASSERT_TRUE(shards.ok());
  EXPECT_EQ(shards->size(), 3u);
}

TEST_F(ShardWriterTest, NamesAFileThatCannotBeWritten) {
  ShardWriter writer(At("nowhere"));
  const auto place = writer.Add("m", Bytes("x"));
  EXPECT_THAT(std::string(place.status().message()), ::testing::HasSubstr("shard-00000.tar"));
}

}  // namespace
}  // namespace ltml::dataset
