#include "common/config/nearest.h"

#include <gtest/gtest.h>

namespace ltml::config {
namespace {

TEST(EditDistance, CountsEdits) {
  EXPECT_EQ(EditDistance("", "abc"), 3);
  EXPECT_EQ(EditDistance("width", "width"), 0);
  EXPECT_EQ(EditDistance("widht", "width"), 1);  // a swap
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(Nearest, FindsWhatWasMeant) {
  EXPECT_EQ(Nearest("trian", {"data", "train", "eval"}), "train");
  EXPECT_EQ(Nearest("learning_rat", {"momentum", "learning_rate"}), "learning_rate");
}

TEST(Nearest, GivesNothingWhenNothingIsNear) {
  EXPECT_EQ(Nearest("colour", {"data", "train"}), "");
  EXPECT_EQ(Nearest("x", {"ab"}), "");
  EXPECT_EQ(DidYouMean("colour", {"data"}), "");
}

}  // namespace
}  // namespace ltml::config
