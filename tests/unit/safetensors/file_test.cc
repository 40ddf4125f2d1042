#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/base/files.h"
#include "common/safetensors/safetensors.h"
#include "tests/unit/safetensors/formula.h"

namespace ltml::safetensors {
namespace {

using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::PrivateFolder::Create("safetensors");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
  }
  std::filesystem::path Path(std::string_view name) const { return folder_.path() / name; }

  base::PrivateFolder folder_;
};

std::filesystem::path Golden(std::string_view name) {
  return std::filesystem::path(LTML_SOURCE_DIR) / "tests/golden" / name;
}

std::vector<TensorView> Samples() {
  static const std::vector<float> floats = {1, -2, 3.5f, 0, -0.0f, 1e-40f};
  static const std::vector<int64_t> longs = {-1};
  static const std::vector<uint8_t> bytes = {1, 2, 3};
  return {{"z.bytes", Type::kUint8, {3}, std::as_bytes(std::span(bytes))},
          {"m.floats", Type::kFloat32, {2, 3}, std::as_bytes(std::span(floats))},
          {"a.empty", Type::kFloat16, {0, 4}, {}},
          {"y.scalar", Type::kInt64, {}, std::as_bytes(std::span(longs))}};
}

void ExpectEqual(std::vector<TensorView> want, const File& file) {
  ASSERT_EQ(file.tensors().size(), want.size());
  for (const TensorView& tensor : want) {
    const TensorView* found = file.Find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->type, tensor.type);
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(found->bytes, tensor.bytes)) << tensor.name;
  }
}

TEST_F(FileTest, WhatIsWrittenIsReadBack) {
  int written = 0;
  base::Sha256 digest;
  const WriteObserver observer{.tensor_written = [&] { ++written; }, .digest = &digest};
  ASSERT_TRUE(Write(Path("a"), Samples(), {{"step", "7"}}, observer).ok());
  const auto file = File::Open(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  ExpectEqual(Samples(), *file);
  EXPECT_EQ(file->metadata().at("step"), "7");
  EXPECT_EQ(file->Find("absent"), nullptr);
  EXPECT_EQ(written, 4);
  EXPECT_EQ(digest.HexDigest(), *base::FileSha256(Path("a")));
}

TEST_F(FileTest, TensorsAreAlignedToTheirElements) {
  ASSERT_TRUE(Write(Path("a"), Samples(), {}).ok());
  const auto file = File::Open(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  for (const TensorView& tensor : file->tensors()) {
    const auto address = std::bit_cast<uintptr_t>(tensor.bytes.data());
    EXPECT_EQ(address % static_cast<uint64_t>(BytesPerElement(tensor.type)), 0u) << tensor.name;
  }
}

TEST_F(FileTest, EveryTruncationIsRefused) {
  ASSERT_TRUE(Write(Path("a"), Samples(), {}).ok());
  const std::string whole = *base::ReadFile(Path("a"));
  for (size_t length = 0; length < whole.size(); ++length) {
    std::ofstream(Path("cut"), std::ios::binary) << whole.substr(0, length);
    const auto file = File::Open(Path("cut"));
    ASSERT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << length;
    ASSERT_THAT(std::string(file.status().message()), HasSubstr("cut' is no valid safetensors"));
  }
}

TEST_F(FileTest, AnAbsurdHeaderLengthIsRefusedBeforeReading) {
  for (const unsigned char last : {0x00, 0x7f, 0xff}) {
    std::string bytes(64, ' ');
    std::memcpy(bytes.data(), "\xff\xff\xff\xff\xff\xff\xff", 7);
    bytes[7] = static_cast<char>(last);
    std::ofstream(Path("long"), std::ios::binary) << bytes;
    const auto file = File::Open(Path("long"));
    ASSERT_FALSE(file.ok());
    EXPECT_THAT(std::string(file.status().message()), HasSubstr("more than the 100000000 allowed"));
  }
}

TEST_F(FileTest, AbsentFileIsNotFound) {
  EXPECT_EQ(File::Open(Path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, WriteRefusesWhatItCouldNotReadBack) {
  auto twice = Samples();
  twice.push_back(twice[0]);
  EXPECT_THAT(std::string(Write(Path("a"), twice, {}).message()), HasSubstr("two tensors"));
  auto misshaped = Samples();
  misshaped[1].shape = {7};
  EXPECT_THAT(std::string(Write(Path("a"), misshaped, {}).message()), HasSubstr("'m.floats'"));
  auto reserved = Samples();
  reserved[0].name = "__metadata__";
  EXPECT_FALSE(Write(Path("a"), reserved, {}).ok());
}

TEST_F(FileTest, AFullDiskIsReported) {
  const absl::Status status = Write("/dev/full", Samples(), {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("No space left"));
  EXPECT_THAT(std::string(Write(Path("no/such/folder"), Samples(), {}).message()),
              HasSubstr("cannot create"));
}

class GoldenFile : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenFile, EqualsItsFormulaBitForBit) {
  const auto file = File::Open(Golden(GetParam()));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_GT(file->tensors().size(), 100u);
  for (const TensorView& tensor : file->tensors()) {
    if (tensor.name.ends_with("num_batches_tracked")) {
      EXPECT_EQ(tensor.type, Type::kInt64);
      EXPECT_TRUE(std::ranges::all_of(tensor.bytes, [](std::byte b) { return b == std::byte{0}; }));
      continue;
    }
    const auto want = ltml::testing::StateEntry(tensor.name, tensor.shape);
    ASSERT_EQ(tensor.type, Type::kFloat32);
    ASSERT_TRUE(std::ranges::equal(tensor.bytes, std::as_bytes(std::span(want)))) << tensor.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, GoldenFile,
                         ::testing::Values("resnet18_width8.safetensors",
                                           "resnet50_width8.safetensors"),
                         [](const auto& info) {
                           return std::string(info.param).substr(0, std::strlen("resnetNN"));
                         });

// sha256 of: a NUL "U8" NUL 1 3 (as 64-bit little-endian) 01 02 03.
TEST(Digest, FollowsItsDefinition) {
  const std::vector<uint8_t> bytes = {1, 2, 3};
  const std::string by_hand = std::string("a\0U8\0", 5) + std::string("\1\0\0\0\0\0\0\0", 8) +
                              std::string("\3\0\0\0\0\0\0\0", 8) + "\1\2\3";
  base::Sha256 want;
  want.Update(by_hand);
  EXPECT_EQ(Digest({{"a", Type::kUint8, {3}, std::as_bytes(std::span(bytes))}}), want.HexDigest());
}

TEST(Digest, IgnoresOrderAndSeesNameTypeShapeAndBytes) {
  const auto samples = Samples();
  const std::string digest = Digest(samples);
  EXPECT_EQ(Digest({samples.rbegin(), samples.rend()}), digest);
  auto renamed = samples, retyped = samples, reshaped = samples, changed = samples;
  renamed[0].name += "x";
  retyped[1].type = Type::kInt32;
  reshaped[1].shape = {3, 2};
  const std::vector<uint8_t> other = {1, 2, 4};
  changed[0].bytes = std::as_bytes(std::span(other));
  for (const auto& variant : {renamed, retyped, reshaped, changed}) {
    EXPECT_NE(Digest(variant), digest);
  }
}

}  // namespace
}  // namespace ltml::safetensors
