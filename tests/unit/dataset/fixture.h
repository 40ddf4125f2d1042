#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "common/base/files.h"
#include "common/dataset/import.h"

namespace ltml::dataset {

// The bytes of a JPEG of one colour; other arguments give other bytes.
std::string Jpeg(int width, int height, int level);

// The bytes of tests/data/hostile/NAME.
std::string HostileFile(std::string_view name);

// A test with an empty folder of its own that goes away with it.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override;

  std::filesystem::path At(std::string_view relative) const { return folder_.path() / relative; }
  // Makes folders as needed.
  void Write(std::string_view relative, std::string_view content) const;
  std::string Read(const std::filesystem::path& file) const;

  // pictures/{0,1,2}.jpg with list.jsonl: 0 is "b", 1 is "a" and "b", 2 has no label.
  void WriteSmallList() const;
  ImportOptions SmallOptions() const;

  // Number of entries of the test's folder whose name begins with a dot.
  int HiddenEntries() const;

 private:
  base::PrivateFolder folder_;
};

}  // namespace ltml::dataset
