#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/escaping.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/sha256.h"
#include "common/base/token_digest.h"
#include "ltml/v1/report.pb.h"

namespace ltml::base {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = PrivateFolder::Create("ltml-base-test");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
  }
  PrivateFolder folder_;
};

TEST_F(BaseTest, WritesReplaceTheWholeFileAndLeaveNothingElse) {
  const fs::path file = folder_.path() / "a";
  ASSERT_TRUE(WriteFileAtomically(file, "a longer first content").ok());
  ASSERT_TRUE(WriteFileAtomically(file, "second").ok());
  EXPECT_EQ(*ReadFile(file), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(BaseTest, AFailedWriteKeepsTheOldFile) {
  const fs::path file = folder_.path() / "a";
  fs::create_directory(file);  // a folder cannot be replaced by a file
  const absl::Status status = WriteFileAtomically(file, "x");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(file.string()));
  EXPECT_TRUE(fs::is_directory(file));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_F(BaseTest, MissingFilesAreNotFoundAndNamed) {
  for (const absl::Status& status :
       {ReadFile("/no/such/file").status(), MappedFile::Open("/no/such/file").status(),
        FileSha256("/no/such/file").status(), SyncPath("/no/such/file")}) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/file"));
  }
}

TEST_F(BaseTest, ReadRefusesWhatIsOverItsLimit) {
  const fs::path file = folder_.path() / "a";
  ASSERT_TRUE(WriteFileAtomically(file, "12345").ok());
  EXPECT_TRUE(ReadFile(file, 5).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ReadFile(file, 4).status()));
}

TEST_F(BaseTest, MapsHoldTheFileAndEmptyFilesMapToNothing) {
  const fs::path file = folder_.path() / "a";
  ASSERT_TRUE(WriteFileAtomically(file, "xyz").ok());
  const auto mapped = MappedFile::Open(file);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(mapped->bytes().data()), 3), "xyz");
  ASSERT_TRUE(WriteFileAtomically(file, "").ok());
  EXPECT_EQ(MappedFile::Open(file)->bytes().size(), 0u);
  EXPECT_TRUE(absl::IsInvalidArgument(MappedFile::Open(folder_.path()).status()));
}

TEST_F(BaseTest, PrivateFoldersArePrivateAndGoAway) {
  fs::path path;
  {
    const auto folder = PrivateFolder::Create("ltml-x");
    ASSERT_TRUE(folder.ok());
    path = folder->path();
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    std::ofstream(path / "file") << "x";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(BaseTest, PrivateFoldersOfKilledOwnersGoWithTheNextOne) {
  ::setenv("TMPDIR", folder_.path().c_str(), 1);
  ::unsetenv("XDG_RUNTIME_DIR");
  const auto alive = PrivateFolder::Create("ltml-x");
  ASSERT_TRUE(alive.ok()) << alive.status();
  ASSERT_EQ(alive->path().parent_path(), folder_.path());
  const auto set_age = [](const fs::path& file, int seconds) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::seconds(seconds));
  };
  const auto leave = [&](const std::string& name, const std::string& lock, int age) {
    const fs::path folder = folder_.path() / name;
    fs::create_directories(folder / "below");
    std::ofstream(folder_.path() / lock) << "";
    set_age(folder_.path() / lock, age);
    return folder;
  };
  set_age(alive->path().string() + ".lock", 3600);
  const auto dead = leave("ltml-x-dead01", "ltml-x-dead01.lock", 3600);
  const auto young = leave("ltml-x-young1", "ltml-x-young1.lock", 0);
  const auto unlocked = leave("ltml-x-mine01", "notes", 3600);
  const auto other = leave("ltml-dead01", "ltml-dead01.lock", 3600);
  fs::create_directory(folder_.path() / "ltml-x-fold01.lock");
  ASSERT_TRUE(PrivateFolder::Create("ltml-x").ok());
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_FALSE(fs::exists(dead.string() + ".lock"));
  for (const auto& path : {alive->path(), young, unlocked, other}) EXPECT_TRUE(fs::exists(path));
  EXPECT_TRUE(fs::exists(alive->path().string() + ".lock"));
}

TEST(Sha256Test, KnownDigests) {  // FIPS 180-4, examples
  EXPECT_EQ(Sha256().HexDigest(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256().Update(std::string_view("a")).Update(std::string_view("bc")).HexDigest(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::array<std::byte, 8> one = {std::byte{1}};
  EXPECT_EQ(Sha256().Update(uint64_t{1}).HexDigest(), Sha256().Update(one).HexDigest());
}

TEST(LogValueTest, QuotesWhatWouldBreakALine) {
  EXPECT_EQ(LogValue("plain/path-1.0"), "plain/path-1.0");
  EXPECT_EQ(LogValue(""), "\"\"");
  EXPECT_EQ(LogValue("two words"), "\"two words\"");
  EXPECT_EQ(LogValue("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(LogValue("line\nbreak\x1b"), "\"line\\x0abreak\\x1b\"");
}

TEST_F(BaseTest, MessagesGoToJsonFilesAndBack) {
  v1::StepMetrics metrics;
  metrics.set_step(7);
  metrics.set_loss(0.1);
  const fs::path file = folder_.path() / "m.json";
  ASSERT_TRUE(WriteJsonFile(file, metrics).ok());
  EXPECT_THAT(*ReadFile(file), HasSubstr("\"grant_wait_seconds\": 0"));
  v1::StepMetrics read;
  ASSERT_TRUE(ReadJsonFile(file, &read).ok());
  EXPECT_EQ(read.SerializeAsString(), metrics.SerializeAsString());
}

TEST(ProtoJsonTest, UnknownFieldsAndBrokenTextNameTheirPlace) {
  v1::StepMetrics metrics;
  for (const char* text : {"{\"stepp\": 1}", "{", "[]", ""}) {
    const absl::Status status = FromJson(text, "'here.json'", &metrics);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("here.json"));
  }
}

TEST(Digest, IsSha256AndComparesWhole) {
  EXPECT_EQ(absl::BytesToHexString(TokenDigest("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_TRUE(SameDigest("ab", "ab"));
  EXPECT_FALSE(SameDigest("ab", "ac"));
  EXPECT_FALSE(SameDigest("ab", "abc"));
  EXPECT_FALSE(SameDigest("", "a"));
}

TEST(Digest, IsWrittenAs64LowerCaseDigits) {
  EXPECT_TRUE(IsDigestText("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                                 std::string(64, 'A'), std::string(64, 'g')}) {
    EXPECT_FALSE(IsDigestText(bad)) << bad;
  }
}

}  // namespace
}  // namespace ltml::base
