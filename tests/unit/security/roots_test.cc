#include "coordinator/security/roots.h"

#include <gmock/gmock.h>

#include <fstream>

#include "common/base/files.h"

namespace ltml::security {
namespace {

using absl::StatusCode;
namespace fs = std::filesystem;

class RootsTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root() / "set/deep");
    fs::create_directories(top() / "data2/set");
    fs::create_directory_symlink(top() / "data2/set", root() / "out");
    fs::create_directory_symlink("set/deep", root() / "within");
    fs::create_directory_symlink("/etc", root() / "absolute");
    std::ofstream(root() / "set/file") << "x";
  }
  fs::path top() const { return folder_.path(); }
  fs::path root() const { return top() / "data"; }
  StatusCode Check(const fs::path& path) const { return CheckBelow(path, {root()}).code(); }

 private:
  base::PrivateFolder folder_ = *base::PrivateFolder::Create("ltml-roots");
};

TEST_F(RootsTest, TakesWhatLiesBelow) {
  for (const fs::path& path : {root(), root() / "set", root() / "set/file", root() / "set/deep/",
                               root() / "set/../set/deep", root() / "within"}) {
    EXPECT_EQ(Check(path), StatusCode::kOk) << path;
  }
}

TEST_F(RootsTest, RefusesWhatLiesOutside) {
  for (const fs::path& path :
       {top(), top() / "data2", top() / "data2/set", root() / "../data2/set", fs::path("/"),
        fs::path("/etc/passwd"), fs::path("set"), fs::path(""), fs::path("../data/set")}) {
    EXPECT_EQ(Check(path), StatusCode::kPermissionDenied) << path;
  }
}

TEST_F(RootsTest, RefusesLinksThatLeadOut) {
  EXPECT_EQ(Check(root() / "out"), StatusCode::kPermissionDenied);
  EXPECT_EQ(Check(root() / "absolute/passwd"), StatusCode::kPermissionDenied);
}

TEST_F(RootsTest, TellsWhatIsMissing) {
  EXPECT_EQ(Check(root() / "none"), StatusCode::kNotFound);
  EXPECT_EQ(Check(root() / "set/file/under"), StatusCode::kNotFound);
}

TEST_F(RootsTest, AnyRootWillDoAndNoneAllowsNothing) {
  EXPECT_TRUE(CheckBelow(top() / "data2/set", {root(), top() / "data2"}).ok());
  EXPECT_EQ(CheckBelow(root() / "set", {}).code(), StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace ltml::security
