#include "common/safetensors/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace ltml::safetensors {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kGood =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},)"
    R"("a":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}  )";

TEST(ParseHeader, ReadsEntriesInOrderOfTheData) {
  const auto header = ParseHeader(kGood, 32);
  ASSERT_TRUE(header.ok()) << header.status();
  ASSERT_EQ(header->entries.size(), 2u);
  EXPECT_EQ(header->entries[0].name, "a");
  EXPECT_EQ(header->entries[0].type, Type::kInt64);
  EXPECT_TRUE(header->entries[0].shape.empty());
  EXPECT_EQ(header->entries[1].name, "b");
  EXPECT_EQ(header->entries[1].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(header->entries[1].end, 32);
  EXPECT_EQ(header->metadata.at("format"), "pt");
}

struct Fault {
  std::string json;
  int64_t data_bytes;
  std::string message;
};

class FaultyHeader : public ::testing::TestWithParam<Fault> {};

TEST_P(FaultyHeader, IsRefusedWithAReason) {
  const auto header = ParseHeader(GetParam().json, GetParam().data_bytes);
  ASSERT_FALSE(header.ok()) << GetParam().json;
  EXPECT_EQ(header.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(header.status().message()), HasSubstr(GetParam().message));
}

std::string One(std::string_view fields) { return "{\"a\":{" + std::string(fields) + "}}"; }
std::string Two(std::string_view first, std::string_view second) {
  return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[)" + std::string(first) +
         R"(]},"b":{"dtype":"U8","shape":[4],"data_offsets":[)" + std::string(second) + "]}}";
}

INSTANTIATE_TEST_SUITE_P(
    All, FaultyHeader,
    ::testing::Values(
        Fault{"", 0, "begin with"}, Fault{" {}", 0, "begin with"}, Fault{"[]", 0, "begin with"},
        Fault{"{", 0, "no JSON object"}, Fault{"{}x", 0, "no JSON object"},
        Fault{"{\"a\":\"\xff\"}", 0, "no JSON object"}, Fault{"{\"a\":1}", 0, "'a' is no JSON"},
        Fault{"{}", 4, "file has 4"}, Fault{One(R"("dtype":"F32","shape":[1])"), 4, "lacks one of"},
        Fault{One(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])"), 4, "twice"},
        Fault{One(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1)"), 4, "unknown key 'x'"},
        Fault{One(R"("dtype":"F8","shape":[1],"data_offsets":[0,4])"), 4, "dtype 'F8'"},
        Fault{One(R"("dtype":7,"shape":[1],"data_offsets":[0,4])"), 4, "dtype is no text"},
        Fault{One(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), 4, "shape is no list"},
        Fault{One(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), 4, "whole number"},
        Fault{One(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), 4, "whole number"},
        Fault{One(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4])"), 4,
              "whole number"},
        Fault{One(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])"), 0,
              "too large"},
        Fault{One(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0,
              "too large"},
        Fault{One(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), 4, "1 numbers, not 2"},
        Fault{One(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), 4, "do not hold"},
        Fault{One(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4, "do not hold the 8"},
        Fault{One(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), 3, "cut short"},
        Fault{One(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"), 5, "file has 5"},
        Fault{Two("0,4", "2,6"), 6, "overlap"}, Fault{Two("0,4", "0,4"), 4, "overlap"},
        Fault{Two("0,4", "5,9"), 9, "hole"}, Fault{Two("1,5", "5,9"), 9, "hole"},
        Fault{R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
              R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
              2, "'a' stands twice"},
        Fault{R"({"__metadata__":{"a":1}})", 0, "no text"},
        Fault{R"({"__metadata__":[]})", 0, "no JSON object"},
        Fault{R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"}));

TEST(ParseHeader, RefusesDeepNesting) {
  EXPECT_FALSE(ParseHeader("{\"a\":" + std::string(100'000, '['), 0).ok());
}

// Whatever the bytes, the answer is a status, and an accepted header keeps its promises.
TEST(ParseHeader, SurvivesRandomDamage) {
  std::mt19937_64 random(7);
  const std::string_view alphabet = "{}[]\":,0123456789abdtyeshpoF_-. \n";
  for (int round = 0; round < 20'000; ++round) {
    std::string json(kGood);
    for (uint64_t changes = random() % 4 + 1; changes > 0; --changes) {
      const size_t place = random() % json.size();
      if (random() % 3 == 0) {
        json.erase(place, random() % 5 + 1);
      } else {
        json[place] = alphabet[random() % alphabet.size()];
      }
      if (json.empty()) json = "{";
    }
    const auto header = ParseHeader(json, 32);
    if (!header.ok()) continue;
    int64_t next = 0;
    for (const Entry& entry : header->entries) {
      ASSERT_EQ(entry.begin, next) << json;
      ASSERT_EQ(BytesOf(entry.type, entry.shape), entry.end - entry.begin) << json;
      next = entry.end;
    }
    ASSERT_EQ(next, 32) << json;
  }
}

TEST(PrintHeader, IsReadBackAndPadded) {
  Header header;
  header.metadata = {{"quote\"", "back\\slash\n\x01"}};
  header.entries = {{"tab\tname", Type::kBfloat16, {3, 1}, 0, 6}, {"e", Type::kBool, {0}, 6, 6}};
  const std::string printed = PrintHeader(header);
  ASSERT_EQ(printed.size() % 8, 0u);
  const auto again = ParseHeader(std::string_view(printed).substr(8), 6);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->metadata, header.metadata);
  ASSERT_EQ(again->entries.size(), 2u);
  EXPECT_EQ(again->entries[0].name, "tab\tname");
  EXPECT_EQ(again->entries[0].type, Type::kBfloat16);
  EXPECT_EQ(again->entries[1].name, "e");
}

}  // namespace
}  // namespace ltml::safetensors
