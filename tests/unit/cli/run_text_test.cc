#include "cli/run_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ltml::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::RunView Seen() {
  v1::RunView view;
  v1::Job& job = *view.mutable_job();
  job.set_name("clipart-1");
  job.mutable_spec()->set_name("clipart");
  job.mutable_spec()->mutable_schedule()->set_steps(100);
  job.mutable_spec()->mutable_resources()->set_ranks(2);
  job.set_step(40);
  v1::EvaluationPoint& point = *job.add_evaluations();
  point.set_step(40);
  point.mutable_mean_average_precision()->set_total(0.5);
  view.add_validation_steps(20);
  view.add_validation_steps(40);
  for (const auto& [name, train, before, now] :
       {std::tuple("sky", 160, 0.75, 1.0), {"cat", 40, 0.5, 0.25}}) {
    v1::ClassView& one = *view.add_classes();
    one.set_name(name);
    one.set_group("tail");
    one.set_train_positives(train);
    one.set_rebalanced_positives(1234);
    one.add_average_precision(before);
    one.add_average_precision(now);
  }
  return view;
}

TEST(RunText, ShowsAnUnfinishedRunByItsNewestValidation) {
  const std::string text = RunText(Seen(), false);
  EXPECT_THAT(text, testing::StartsWith("clipart (clipart-1): not finished, step 40 of 100\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "class  group  images                uniform  re-balanced   AP %                change\n"
          "-----  -----  ------  ------------  -------  -----------  -----  ------------  ------\n"
          "cat    tail       40  ███                 -        1,234   25.0  ███            -25.0\n"
          "sky    tail      160  ████████████        -        1,234  100.0  ████████████   "
          "+25.0\n"));
  EXPECT_THAT(text, HasSubstr("mAP %    50.00"));
  EXPECT_THAT(text, Not(HasSubstr("Where the time")));
}

TEST(RunText, NamesTheRankThatTheOthersWaitFor) {
  v1::RunView view = Seen();
  for (int rank = 0; rank < 2; ++rank) {
    v1::RankStatus& status = *view.mutable_job()->add_ranks();
    status.set_rank(rank);
    status.set_host("node-a");
    status.mutable_times()->set_steps(10);
    status.mutable_times()->set_compute_seconds(rank == 0 ? 1 : 4);
    status.mutable_times()->set_collective_wait_seconds(rank == 0 ? 3 : 0);
  }
  EXPECT_THAT(RunText(view, false),
              HasSubstr("   0  node-a      400.0    100.0     0.0  300.0    0.0  ███\n"
                        "   1  node-a      400.0    400.0     0.0    0.0    0.0  ████████████ the "
                        "others wait\n"));
}

TEST(RunText, ListsTheWeakestOfManyClasses) {
  v1::RunView view = Seen();
  for (int i = 0; i < 50; ++i) {
    v1::ClassView& one = *view.add_classes();
    one.set_name("strong");
    one.set_train_positives(10);
    one.add_average_precision(0.9);
  }
  const std::string text = RunText(view, false);
  EXPECT_THAT(text, HasSubstr("cat"));
  EXPECT_THAT(text, Not(HasSubstr("sky")));
  EXPECT_THAT(text, HasSubstr("... and 12 more: --html FILE shows them all\n"));
}

TEST(RunText, TellsAttemptsThatFailed) {
  v1::RunView view = Seen();
  v1::Attempt& attempt = *view.mutable_job()->add_attempts();
  attempt.set_epoch(3);
  attempt.mutable_failure()->set_cause(v1::FAILURE_CAUSE_NO_PROGRESS);
  attempt.mutable_failure()->set_rank(1);
  attempt.mutable_failure()->set_message("it hangs");
  EXPECT_THAT(RunText(view, false),
              HasSubstr("attempt 3: no progress (rank 1 at step 0): it hangs\n"));
}

TEST(RunText, OfARunThatHasNotBegun) {
  v1::RunView view;
  view.mutable_job()->mutable_spec()->set_name("next");
  EXPECT_THAT(RunText(view, false), HasSubstr("Not evaluated yet."));
}

}  // namespace
}  // namespace ltml::cli
