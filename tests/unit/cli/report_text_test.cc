#include "cli/report_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ltml::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void AddClass(v1::Report* report, const char* name, const char* group, int images, double ap) {
  v1::ClassReport& row = *report->add_classes();
  row.set_name(name);
  row.set_group(group);
  row.set_train_positives(images);
  if (ap >= 0) row.set_average_precision(ap);
}

v1::Report Sample() {
  v1::Report report;
  report.mutable_mean_average_precision()->set_total(0.5);
  report.mutable_mean_average_precision()->set_head(0.75);
  report.mutable_mean_average_precision()->set_tail(0.25);
  report.mutable_chance()->set_total(0.0384);
  AddClass(&report, "cat", "head", 1142, 0.75);
  AddClass(&report, "yak", "tail", 4, 0.25);
  AddClass(&report, "gnu", "tail", 5, -1);
  report.set_job("clipart");
  report.set_evaluated_on("test");
  report.set_evaluated_step(480);
  report.set_evaluated_checkpoint("best");
  report.set_images(835);
  report.set_steps(480);
  report.set_world_size(2);
  report.set_seconds(185);
  report.set_images_per_second(166.04);
  report.set_run_folder("/runs/a");
  return report;
}

TEST(ReportText, IsTheTable) {
  EXPECT_EQ(ReportText(Sample(), false),
            "clipart: test, 835 images, checkpoint of step 480 (best)\n"
            "\n"
            "          total   head  medium   tail\n"
            "--------  -----  -----  ------  -----\n"
            "mAP %     50.00  75.00       -  25.00\n"
            "chance %   3.84      -       -      -\n"
            "classes       2      1       0      1\n"
            "\n"
            "weakest classes  group  training images   AP %\n"
            "---------------  -----  ---------------  -----\n"
            "yak              tail                 4  25.00\n"
            "cat              head             1,142  75.00\n"
            "\n"
            "480 steps on 2 ranks, 166.0 images/s, 3 min 05 s\n"
            "run: /runs/a\n");
}

TEST(ReportText, AnEvaluationHasNoSteps) {
  v1::Report report = Sample();
  report.clear_run_folder();
  report.set_world_size(1);
  report.set_seconds(0.25);
  EXPECT_THAT(ReportText(report, false),
              ::testing::EndsWith("\nevaluated on 1 rank, 166.0 images/s, 0.2 s\n"));
}

TEST(ReportText, ListsFiveWeakest) {
  v1::Report report = Sample();
  for (int i = 0; i < 10; ++i) AddClass(&report, "strong", "head", 200, 0.9);
  AddClass(&report, "strongest", "head", 200, 0.95);
  EXPECT_THAT(ReportText(report, false), Not(HasSubstr("strongest")));
}

TEST(ReportText, SaysWhenNothingWasEvaluated) {
  v1::Report report;
  report.set_job("clipart");
  EXPECT_THAT(ReportText(report, false), HasSubstr("clipart: not evaluated, because the job"));
}

}  // namespace
}  // namespace ltml::cli
