#include "worker/session/lease_watch.h"

#include <gtest/gtest.h>

#include <optional>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "worker/session/session.h"

namespace ltml::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What a watch said, once.
struct Verdict {
  absl::Notification given;
  std::string reason;
  auto Callback() {
    return [this](const std::string& why) {
      reason = why;
      given.Notify();
    };
  }
};

TEST(LeaseWatch, EndsWhenNothingRenewsTheLease) {
  Verdict verdict;
  LeaseWatch watch(milliseconds(50), seconds(60), verdict.Callback());
  ASSERT_TRUE(verdict.given.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_NE(verdict.reason.find("limits.lease = 0.05 s"), std::string::npos) << verdict.reason;
}

TEST(LeaseWatch, RenewalsKeepItAlive) {
  Verdict verdict;
  LeaseWatch watch(milliseconds(400), seconds(60), verdict.Callback());
  for (int i = 0; i < 16; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
    watch.Renew();
  }
  EXPECT_FALSE(verdict.given.HasBeenNotified());
}

TEST(LeaseWatch, ARefusalEndsAtOnce) {
  Verdict verdict;
  LeaseWatch watch(seconds(60), seconds(60), verdict.Callback());
  watch.End("fenced");
  ASSERT_TRUE(verdict.given.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_EQ(verdict.reason, "fenced");
}

TEST(LeaseWatch, RestsWhenTheSessionIsClosed) {
  Verdict verdict;
  LeaseWatch watch(milliseconds(50), milliseconds(1), verdict.Callback());
  watch.Rest();
  watch.End("fenced");
  EXPECT_FALSE(verdict.given.WaitForNotificationWithTimeout(absl::Milliseconds(150)));
}

TEST(LeaseWatchDeathTest, EndsAProcessThatDoesNotNotice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        LeaseWatch watch(milliseconds(20), milliseconds(20), [](const std::string&) {});
        absl::SleepFor(absl::Seconds(20));
      },
      testing::ExitedWithCode(kFencedExitStatus), "rank_fenced");
}

}  // namespace
}  // namespace ltml::session
