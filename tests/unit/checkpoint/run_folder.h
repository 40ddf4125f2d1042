#pragma once

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "worker/checkpoint/checkpoint.h"

namespace ltml::checkpoint {

// A run folder that is removed after the test.
class RunFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::PrivateFolder::Create("checkpoint");
    ASSERT_TRUE(folder.ok()) << folder.status();
    folder_ = *std::move(folder);
  }

  const std::filesystem::path& run() const { return folder_.path(); }
  std::filesystem::path checkpoints() const { return run() / "checkpoints"; }

  // Small tensors that differ from step to step.
  static std::vector<model::NamedTensor> Model(int64_t step) {
    return {{"trunk.weight", at::arange(6, at::kFloat).reshape({2, 3}) + step},
            {"f.head.bias", at::full({4}, static_cast<double>(step), at::kDouble)}};
  }
  static std::vector<model::NamedTensor> Optimizer(int64_t step) {
    return {
        {"momentum/trunk.weight", at::full({2, 3}, 0.5 * static_cast<double>(step), at::kFloat)}};
  }

  std::filesystem::path MustWrite(int64_t step, v1::CheckpointState state = {}) {
    state.set_step(step);
    state.add_classes("cat");
    auto folder = Write(run(), state, Model(step), Optimizer(step), {});
    EXPECT_TRUE(folder.ok()) << folder.status();
    return folder.ok() ? *folder : std::filesystem::path();
  }

  static void FlipBit(const std::filesystem::path& file, int64_t from_end) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(-from_end, std::ios::end);
    const char byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(-from_end, std::ios::end);
    stream.put(byte);
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(checkpoints())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

 private:
  base::PrivateFolder folder_;
};

}  // namespace ltml::checkpoint
