#include "common/metrics/select_classes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ltml::metrics {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Precisions = std::vector<std::optional<double>>;

TEST(SelectClasses, TakesTheRarestAndTheWeakest) {
  const std::vector<int64_t> counts = {500, 3, 40, 0, 7, 900};
  const Precisions precision = {0.1, 0.9, std::nullopt, 0.05, 0.8, 0.2};
  // Rarest with images: 1, 4.  Weakest with a precision: 3, 0.
  EXPECT_THAT(SelectClasses(counts, precision, 2), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(SelectClasses(counts, precision, 100), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(SelectClasses(counts, precision, 0), IsEmpty());
  EXPECT_EQ(SelectClasses(counts, precision, std::nullopt).size(), counts.size());
  EXPECT_THAT(SelectClasses(counts, {}, std::nullopt).back(), counts.size() - 1);
  EXPECT_THAT(SelectClasses(counts, {}, 1), ElementsAre(1));
  EXPECT_THAT(SelectClasses({}, {}, 5), IsEmpty());
}

TEST(SelectClasses, OfEqualOnesTakesTheFirst) {
  const std::vector<int64_t> counts = {5, 5, 5, 5};
  EXPECT_THAT(SelectClasses(counts, Precisions(4, 0.5), 2), ElementsAre(0, 1));
}

}  // namespace
}  // namespace ltml::metrics
