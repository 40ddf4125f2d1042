#include <gmock/gmock.h>

#include "common/dataset/dataset.h"
#include "common/dataset/import.h"
#include "tests/unit/dataset/fixture.h"

namespace ltml::dataset {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckTest : public FolderTest {
 protected:
  CheckResult CheckSet() {
    const auto opened = Dataset::Open(At("out/set"));
    EXPECT_TRUE(opened.ok()) << opened.status();
    const auto result = Check(**opened, nullptr);
    EXPECT_TRUE(result.ok()) << result.status();
    return *result;
  }
};

TEST_F(CheckTest, ListsWhatLooksWrong) {
  WriteSmallList();
  Write("pictures/1.jpg", Read(At("pictures/0.jpg")));
  Write("classes", "a\nb\nc\n");
  ImportOptions options = SmallOptions();
  options.classes = At("classes");
  ASSERT_TRUE(Import(options).ok());
  const CheckResult result = CheckSet();
  EXPECT_THAT(result.bad_images, IsEmpty());
  EXPECT_THAT(result.suspicious, ElementsAre("1.jpg: the same picture as 0.jpg", "2.jpg: no labels",
                                             "class c: no images"));
}

TEST_F(CheckTest, FindsAChangedPicture) {
  WriteSmallList();
  ASSERT_TRUE(Import(SmallOptions()).ok());
  const std::string picture = Read(At("pictures/1.jpg"));
  std::string shard = Read(At("out/set/shard-00000.tar"));
  const size_t place = shard.find(picture);
  ASSERT_NE(place, std::string::npos);
  shard.replace(place, 4, "!!!!");
  Write("out/set/shard-00000.tar", shard);
  EXPECT_THAT(
      CheckSet().bad_images,
      ElementsAre(HasSubstr("the content has changed since the import"), HasSubstr("1.jpg: ")));
}

}  // namespace
}  // namespace ltml::dataset
