#include "common/dataset/dataset.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>

#include "common/base/sha256.h"
#include "common/dataset/class_table.h"
#include "common/dataset/import.h"
#include "tests/unit/dataset/fixture.h"

namespace ltml::dataset {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class DatasetTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    WriteSmallList();
    const auto result = Import(SmallOptions());
    ASSERT_TRUE(result.ok()) << result.status();
  }

  std::filesystem::path Set() const { return At("out/set"); }

  std::string OpenFault(absl::StatusCode code = absl::StatusCode::kInvalidArgument) const {
    const auto opened = Dataset::Open(Set());
    EXPECT_EQ(opened.status().code(), code) << opened.status();
    return std::string(opened.status().message());
  }

  void Resize(const char* file, int by) const {
    std::filesystem::resize_file(Set() / file, std::filesystem::file_size(Set() / file) + by);
  }
};

TEST_F(DatasetTest, MissingFolderAndFolderThatIsNoDataSet) {
  EXPECT_THAT(std::string(Dataset::Open(At("nowhere")).status().message()),
              HasSubstr("there is no data set folder"));
  EXPECT_TRUE(absl::IsNotFound(Dataset::Open(At("pictures")).status()));
}

TEST_F(DatasetTest, TruncatedOrGrownFilesAreNamedWithBothSizes) {
  for (const char* file : {"shard-00000.tar", "labels.bin", "classes.bin", "index.bin"}) {
    const auto size = std::filesystem::file_size(Set() / file);
    Resize(file, -1);
    EXPECT_THAT(OpenFault(), AllOf(HasSubstr((Set() / file).string()),
                                   HasSubstr("holds " + std::to_string(size - 1) +
                                             " bytes, expected " + std::to_string(size)),
                                   HasSubstr("truncated"), HasSubstr("ltml data import")));
    Resize(file, 2);
    EXPECT_THAT(OpenFault(), HasSubstr("changed"));
    Resize(file, -1);
  }
  std::filesystem::remove(Set() / "shard-00000.tar");
  EXPECT_THAT(OpenFault(), HasSubstr("shard-00000.tar' is missing"));
}

TEST_F(DatasetTest, WrongDatasetJson) {
  const std::string good = Read(Set() / "dataset.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t place = text.find(from);
    EXPECT_NE(place, std::string::npos) << from;
    Write("out/set/dataset.json", text.replace(place, from.size(), to));
    return OpenFault();
  };
  EXPECT_THAT(with("\"format_version\": 1", "\"format_version\": 9"),
              HasSubstr("format version is 9, expected 1"));
  EXPECT_THAT(with("shard-00000.tar", "../../list.jsonl"), HasSubstr("name of a shard"));
  EXPECT_THAT(with("\"name\": \"a\"", "\"name\": \"b\""), HasSubstr("the class 'b' twice"));
  EXPECT_THAT(with("\"images\": \"3\"", "\"images\": \"4\""), HasSubstr("expected 4"));
  EXPECT_THAT(with("\"images\": \"3\"", "\"images\": \"9223372036854775807\""), HasSubstr("is 3"));
  EXPECT_THAT(with("\"images\": \"3\"", "\"images\": \"-3\""), HasSubstr("at least 1"));
  EXPECT_THAT(with("{", "["), HasSubstr("cannot be read"));
}

// Every byte of the binary files is turned into its complement in its turn.  Most changes are
// refused; after the others every image can still be read within its file.
TEST_F(DatasetTest, NoChangedByteLeadsOutsideTheFiles) {
  for (const char* file : {"labels.bin", "classes.bin", "index.bin"}) {
    const std::string good = Read(Set() / file);
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(~bad[i]);
      Write(std::string("out/set/") + file, bad);
      const auto opened = Dataset::Open(Set());
      if (!opened.ok()) continue;
      const auto shard = std::filesystem::file_size(Set() / "shard-00000.tar");
      for (int64_t image = 0; image < (*opened)->images(); ++image) {
        EXPECT_LE((*opened)->bytes(image).size(), shard);
        EXPECT_LE((*opened)->name(image).size(), good.size());
        for (const uint32_t id : (*opened)->labels(image)) EXPECT_LT(id, 2u);
        for (const uint32_t listed : (*opened)->class_lists().images) EXPECT_LT(listed, 3u);
        base::Sha256().Update((*opened)->bytes(image)).Update((*opened)->name(image)).HexDigest();
      }
    }
    Write(std::string("out/set/") + file, good);
  }
}

// Image 0 carries b, image 1 carries a and b, image 2 nothing.
TEST_F(DatasetTest, ListsImagesByClass) {
  const auto set = *Dataset::Open(Set());
  EXPECT_THAT(set->class_lists().offsets, testing::ElementsAre(0, 1, 3));
  EXPECT_THAT(set->class_lists().images, testing::ElementsAre(1, 0, 1));
}

TEST_F(DatasetTest, MakesTheListsOfAFolderWithoutThem) {
  std::string info = Read(Set() / "dataset.json");
  const size_t begin = info.find("\"classes_bytes\"");
  ASSERT_NE(begin, std::string::npos);
  const size_t end = info.find_first_of(",}", begin);
  info.replace(begin, end - begin, "\"classes_bytes\": \"0\"");
  Write("out/set/dataset.json", info);
  std::filesystem::remove(Set() / "classes.bin");
  const auto set = Dataset::Open(Set());
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT((*set)->class_lists().offsets, testing::ElementsAre(0, 1, 3));
  EXPECT_THAT((*set)->class_lists().images, testing::ElementsAre(1, 0, 1));
}

// As docs/dataset-format.md has it, written out by hand for the small list.
TEST_F(DatasetTest, FingerprintIsTheDocumentedDigest) {
  base::Sha256 sha;
  const auto text = [&](std::string_view value) {
    sha.Update(uint64_t{value.size()}).Update(value);
  };
  sha.Update(uint64_t{2});
  text("a");
  text("b");
  sha.Update(uint64_t{1}).Update(uint64_t{1});
  text("0.jpg");
  text(Read(At("pictures/0.jpg")));
  sha.Update(uint64_t{2}).Update(uint64_t{0}).Update(uint64_t{1});
  text("1.jpg");
  text(Read(At("pictures/1.jpg")));
  sha.Update(uint64_t{0});
  text("2.jpg");
  text(Read(At("pictures/2.jpg")));
  sha.Update(uint64_t{3});
  EXPECT_EQ((*Dataset::Open(Set()))->fingerprint(), sha.HexDigest());
}

TEST_F(DatasetTest, ShardsAreOrdinaryTarFiles) {
  const std::string command =
      "tar -xOf '" + (Set() / "shard-00000.tar").string() + "' 000000001.jpg";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0);
  EXPECT_EQ(output, Read(At("pictures/1.jpg")));
}

TEST(ClassTableDifference, NamesTheFirst) {
  EXPECT_EQ(ClassTableDifference({"a", "b"}, {"a", "b"}), "");
  EXPECT_EQ(ClassTableDifference({"a", "c"}, {"a", "b"}), "class 1 is 'c', expected 'b'");
  EXPECT_EQ(ClassTableDifference({"a"}, {"a", "b"}), "got 1 classes, expected 2");
}

}  // namespace
}  // namespace ltml::dataset
