#include "worker/checkpoint/checkpoint.h"

#include "common/base/sha256.h"
#include "tests/unit/checkpoint/run_folder.h"

namespace ltml::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using CheckpointTest = RunFolderTest;

std::vector<model::NamedTensor> Blank(std::vector<model::NamedTensor> tensors) {
  for (auto& named : tensors) named.tensor = at::zeros_like(named.tensor);
  return tensors;
}

TEST_F(CheckpointTest, WhatIsWrittenIsReadBack) {
  int progress = 0;
  v1::CheckpointState state;
  state.set_step(500);
  state.set_train_images(7);
  state.set_data_fingerprint("abc");
  const auto folder = Write(run(), state, Model(500), Optimizer(500),
                            {.progress = [&] { ++progress; }, .confirm = {}});
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(*folder, checkpoints() / "step-000000500");
  EXPECT_EQ(progress, 3);

  const auto read = Verify(*folder);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->train_images(), 7);
  EXPECT_EQ(read->data_fingerprint(), "abc");
  EXPECT_EQ(read->model_digest(), ModelDigest(Model(500)));

  const auto model = Blank(Model(500));
  const auto optimizer = Blank(Optimizer(500));
  ASSERT_TRUE(LoadInto(*folder, "model.safetensors", model).ok());
  ASSERT_TRUE(LoadInto(*folder, "optimizer.safetensors", optimizer).ok());
  EXPECT_EQ(ModelDigest(model), ModelDigest(Model(500)));
  EXPECT_EQ(ModelDigest(optimizer), ModelDigest(Optimizer(500)));
}

TEST_F(CheckpointTest, LoadsIntoLeavesThatCarryGradient) {
  const auto folder = MustWrite(3);
  auto model = Blank(Model(3));
  for (auto& named : model) named.tensor.set_requires_grad(true);
  ASSERT_TRUE(LoadInto(folder, "model.safetensors", model).ok());
  EXPECT_TRUE(model[0].tensor.requires_grad());
  EXPECT_TRUE(model[0].tensor.is_leaf());
}

TEST_F(CheckpointTest, DigestIgnoresTheLayoutInMemory) {
  const at::Tensor weight = at::arange(120, at::kFloat).reshape({2, 3, 4, 5});
  EXPECT_EQ(ModelDigest({{"a", weight}}),
            ModelDigest({{"a", weight.contiguous(at::MemoryFormat::ChannelsLast)}}));
  EXPECT_NE(ModelDigest({{"a", weight}}), ModelDigest({{"b", weight}}));
}

TEST_F(CheckpointTest, TheSameStepIsReplacedAndNothingIsLeftBehind) {
  MustWrite(7);
  v1::CheckpointState state;
  state.set_step(7);
  const auto folder = Write(run(), state, Model(8), Optimizer(8), {});
  ASSERT_TRUE(folder.ok()) << folder.status();
  ASSERT_TRUE(Verify(*folder).ok());
  const auto model = Blank(Model(7));
  ASSERT_TRUE(LoadInto(*folder, "model.safetensors", model).ok());
  EXPECT_EQ(ModelDigest(model), ModelDigest(Model(8)));
  EXPECT_THAT(Names(), ElementsAre("step-000000007"));
}

TEST_F(CheckpointTest, LoadIntoNamesEveryFaultAndLoadsNothing) {
  const auto folder = MustWrite(5);
  const std::vector<model::NamedTensor> wrong = {
      {"trunk.weight", at::zeros({3, 2}, at::kFloat)},
      {"absent.bias", at::zeros({4}, at::kDouble)},
  };
  const absl::Status status = LoadInto(folder, "model.safetensors", wrong);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("missing: absent.bias"), HasSubstr("unexpected: f.head.bias"),
                    HasSubstr("trunk.weight (Float [2, 3], expected Float [3, 2])")));
  EXPECT_EQ(wrong[0].tensor.sum().item<float>(), 0);
}

TEST_F(CheckpointTest, ANarrowerTypeIsNotConvertedSilently) {
  const auto folder = MustWrite(5);
  auto model = Model(5);
  model[1].tensor = at::zeros({4}, at::kFloat);
  EXPECT_THAT(std::string(LoadInto(folder, "model.safetensors", model).message()),
              HasSubstr("f.head.bias (Double [4], expected Float [4])"));
}

TEST_F(CheckpointTest, ATruncatedFileIsNamed) {
  for (const char* file :
       {"model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}) {
    const auto folder = MustWrite(9);
    std::filesystem::resize_file(folder / file, std::filesystem::file_size(folder / file) - 3);
    const auto state = Verify(folder);
    ASSERT_EQ(state.status().code(), absl::StatusCode::kDataLoss) << file;
    EXPECT_THAT(std::string(state.status().message()), HasSubstr(file));
  }
}

TEST_F(CheckpointTest, AFlippedBitIsNamedWithBothDigests) {
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
    const auto folder = MustWrite(9);
    const std::string before = *base::FileSha256(folder / file);
    FlipBit(folder / file, 5);
    const std::string after = *base::FileSha256(folder / file);
    const auto state = Verify(folder);
    ASSERT_EQ(state.status().code(), absl::StatusCode::kDataLoss) << file;
    EXPECT_THAT(std::string(state.status().message()),
                AllOf(HasSubstr(file), HasSubstr("is " + after), HasSubstr("expected " + before)));
  }
}

TEST_F(CheckpointTest, AMissingFileIsNamed) {
  for (const char* file :
       {"model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}) {
    const auto folder = MustWrite(9);
    std::filesystem::remove(folder / file);
    const auto state = Verify(folder);
    ASSERT_EQ(state.status().code(), absl::StatusCode::kDataLoss) << file;
    EXPECT_THAT(std::string(state.status().message()), HasSubstr(file));
  }
}

TEST_F(CheckpointTest, AManifestMustListExactlyTheFilesOfACheckpoint) {
  const auto folder = MustWrite(9);
  std::ofstream(folder / "manifest.json") << R"({"format_version": 1, "files": []})";
  EXPECT_EQ(Verify(folder).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(CheckpointTest, ALaterFormatIsRefusedWithACure) {
  const auto folder = MustWrite(9);
  std::ofstream(folder / "manifest.json") << R"({"format_version": 2, "files": []})";
  const auto state = Verify(folder);
  EXPECT_EQ(state.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(state.status().message()), HasSubstr("use a newer ltml"));
}

TEST_F(CheckpointTest, AFolderNamedForAnotherStepIsRefused) {
  const auto folder = MustWrite(9);
  std::filesystem::rename(folder, checkpoints() / "step-000000010");
  EXPECT_EQ(Verify(checkpoints() / "step-000000010").status().code(), absl::StatusCode::kDataLoss);
  std::filesystem::rename(checkpoints() / "step-000000010", checkpoints() / "my-copy");
  EXPECT_TRUE(Verify(checkpoints() / "my-copy").ok());
}

TEST_F(CheckpointTest, VerifyOfNoFolderIsNotFound) {
  EXPECT_EQ(Verify(run() / "nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CheckpointTest, AnUnusableFolderIsReported) {
  std::ofstream(checkpoints()) << "a file where a folder should be";
  v1::CheckpointState state;
  const auto folder = Write(run(), state, Model(1), Optimizer(1), {});
  EXPECT_EQ(folder.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(folder.status().message()), HasSubstr(checkpoints().string()));
}

TEST_F(CheckpointTest, AFailedWriteLeavesNothingAndSparesWhatWasThere) {
  MustWrite(4);
  v1::CheckpointState state;
  state.set_step(4);
  const std::vector<model::NamedTensor> twice = {{"a", at::zeros({1})}, {"a", at::zeros({1})}};
  EXPECT_FALSE(Write(run(), state, twice, {}, {}).ok());
  const std::vector<model::NamedTensor> strange = {{"a", at::zeros({1}, at::kComplexFloat)}};
  const auto refused = Write(run(), state, strange, {}, {});
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("no file of ours holds"));
  EXPECT_THAT(Names(), ElementsAre("step-000000004"));
  EXPECT_TRUE(Verify(checkpoints() / "step-000000004").ok());
}

TEST_F(CheckpointTest, ItIsConfirmedWhenWrittenAndBeforeItAppears) {
  v1::CheckpointState state;
  state.set_step(3);
  std::vector<std::string> files;
  const auto confirm = [&] {
    const std::vector<std::string> names = Names();
    EXPECT_EQ(names.size(), 1u);
    EXPECT_NE(names.front(), "step-000000003");
    for (const auto& file : std::filesystem::directory_iterator(checkpoints() / names.front())) {
      files.push_back(file.path().filename().string());
    }
    return absl::OkStatus();
  };
  ASSERT_TRUE(
      Write(run(), state, Model(3), Optimizer(3), {.progress = {}, .confirm = confirm}).ok());
  EXPECT_EQ(files.size(), 4u);
  EXPECT_THAT(Names(), ElementsAre("step-000000003"));
}

TEST_F(CheckpointTest, OneThatIsNotConfirmedDoesNotAppear) {
  MustWrite(4);
  v1::CheckpointState state;
  const auto refuse = [] { return absl::AbortedError("the attempt is over"); };
  for (const int64_t step : {4, 5}) {
    state.set_step(step);
    const auto folder =
        Write(run(), state, Model(9), Optimizer(9), {.progress = {}, .confirm = refuse});
    EXPECT_EQ(folder.status(), absl::AbortedError("the attempt is over"));
  }
  EXPECT_THAT(Names(), ElementsAre("step-000000004"));
  const auto model = Blank(Model(4));
  ASSERT_TRUE(LoadInto(checkpoints() / "step-000000004", "model.safetensors", model).ok());
  EXPECT_EQ(ModelDigest(model), ModelDigest(Model(4)));
}

}  // namespace
}  // namespace ltml::checkpoint
