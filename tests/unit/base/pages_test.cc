#include "common/base/pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <new>
#include <utility>

namespace ltml::base {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

TEST(Pages, AreZeroedAlignedAndWholeLines) {
  for (const size_t bytes : {size_t{1}, size_t{64}, size_t{1000}, kHugePage - 1, kHugePage,
                             kHugePage + 1, 3 * kHugePage}) {
    const Pages pages(bytes);
    ASSERT_GE(pages.size(), bytes);
    const size_t unit = bytes < kHugePage ? 64 : kHugePage;
    EXPECT_EQ(pages.size() % unit, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(pages.data()) % unit, 0u) << bytes;
    EXPECT_TRUE(std::all_of(pages.data(), pages.data() + pages.size(),
                            [](std::byte b) { return b == std::byte{0}; }));
    std::fill_n(pages.data(), pages.size(), std::byte{1});
  }
}

TEST(Pages, OfNothingAreEmpty) {
  EXPECT_EQ(Pages().data(), nullptr);
  EXPECT_EQ(Pages(0).data(), nullptr);
  EXPECT_EQ(Pages(0).size(), 0u);
}

TEST(Pages, Move) {
  Pages first(2 * kHugePage);
  first.data()[5] = std::byte{7};
  Pages second(10);
  second = std::move(first);
  EXPECT_EQ(second.size(), 2 * kHugePage);
  EXPECT_EQ(second.data()[5], std::byte{7});
}

TEST(Pages, ThatTheMachineLacksThrow) { EXPECT_THROW(Pages(size_t{1} << 60), std::bad_alloc); }

}  // namespace
}  // namespace ltml::base
