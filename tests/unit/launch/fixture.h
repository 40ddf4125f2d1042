#pragma once

#include <gtest/gtest.h>
#include <spawn.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/files.h"

namespace ltml::launch {

inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::nanoseconds limit = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

// A run folder with attempt 7 in it, whose ranks are shell scripts.
class LaunchedTest : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("LTML_BIN_DIR", LTML_BINARY_DIR "/bin", 1); }

  // The ranks run this script; $R is the rank.
  void Worker(const std::string& script) {
    const auto file = folder_.path() / "worker.sh";
    ASSERT_TRUE(
        base::WriteFileAtomically(file, "#!/bin/sh\nR=$OMPI_COMM_WORLD_RANK\n" + script + "\n")
            .ok());
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    ::setenv("LTML_WORKER", file.c_str(), 1);
  }
  std::string Log(const std::string& name) const {
    return base::ReadFile(attempt_folder_ / name).value_or("");
  }
  bool RanksSay(const std::string& word,
                std::chrono::nanoseconds limit = std::chrono::seconds(10)) const {
    return Eventually(
        [&] {
          return Log("rank-0.log").find(word) != std::string::npos &&
                 Log("rank-1.log").find(word) != std::string::npos;
        },
        limit);
  }
  // Starts launch_owner, with a launch id where the attempt shall outlive it, and gives its process
  // id.
  pid_t StartOwner(const std::string& launch_id = "") const {
    std::vector<std::string> texts = {LTML_BINARY_DIR "/tests/launch_owner",
                                      folder_.path().string(), attempt_folder_.string()};
    if (!launch_id.empty()) texts.push_back(launch_id);
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    pid_t process = -1;
    EXPECT_EQ(::posix_spawn(&process, arguments[0], nullptr, nullptr, arguments.data(), environ),
              0);
    return process;
  }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("launch-test");
  std::filesystem::path attempt_folder_ = folder_.path() / "attempts" / "7";
};

}  // namespace ltml::launch
