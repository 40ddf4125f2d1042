#include "coordinator/store/store_folder.h"

#include <gmock/gmock.h>
#include <sys/vfs.h>

#include "common/base/files.h"

namespace ltml::store {
namespace {

TEST(StoreFolder, KnowsNetworkFileSystems) {
  EXPECT_EQ(NetworkFileSystem(0x6969), "NFS");
  EXPECT_EQ(NetworkFileSystem(0xFF534D42), "CIFS");
  EXPECT_EQ(NetworkFileSystem(0x01021997), "9p");
  EXPECT_EQ(NetworkFileSystem(0x65735546), "FUSE");
  EXPECT_EQ(NetworkFileSystem(0x0BD00BD0), "Lustre");
  EXPECT_EQ(NetworkFileSystem(0x00C36400), "Ceph");
}

TEST(StoreFolder, TakesLocalOnes) {
  constexpr uint64_t kExt4 = 0xEF53;
  constexpr uint64_t kXfs = 0x58465342;
  constexpr uint64_t kBtrfs = 0x9123683E;
  constexpr uint64_t kTmpfs = 0x01021994;
  constexpr uint64_t kOverlay = 0x794C7630;
  for (const uint64_t type : {kExt4, kXfs, kBtrfs, kTmpfs, kOverlay}) {
    EXPECT_EQ(NetworkFileSystem(type), "") << type;
  }
}

TEST(StoreFolder, IsFreeAgainWhenItsHolderIsGone) {
  const auto parent = *base::PrivateFolder::Create("ltml-store");
  const auto path = parent.path() / "store";
  {
    const auto held = StoreFolder::Open(path);
    ASSERT_TRUE(held.ok()) << held.status();
    EXPECT_EQ(StoreFolder::Open(path).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_TRUE(StoreFolder::Open(path).ok());
}

TEST(StoreFolder, SaysWhyItCannotBeMade) {
  const absl::Status opened = StoreFolder::Open("/proc/no/such/folder").status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(opened.message()), testing::HasSubstr("/proc/no/such/folder"));
}

}  // namespace
}  // namespace ltml::store
