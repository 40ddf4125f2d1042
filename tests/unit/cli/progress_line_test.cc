#include "cli/progress_line.h"

#include <gtest/gtest.h>

#include "cli/run_progress.h"

namespace ltml::cli {
namespace {

TEST(ProgressText, HasRateAndTimeLeft) {
  EXPECT_EQ(ProgressText("importing", "images", 120, 1200, 108),
            "importing: 120 / 1200 images (10 %), 108 images/s, 10 s left");
  EXPECT_EQ(ProgressText("importing", "images", 0, 0, 0), "importing: 0 / 0 images (100 %)");
}

TEST(TrainingText, HasWhatIsKnown) {
  v1::StepMetrics metrics;
  EXPECT_EQ(TrainingText(0, 480, metrics, -1), "step 0 / 480 (0 %)");
  metrics.set_images_per_second(310.4);
  metrics.set_loss(0.25);
  EXPECT_EQ(TrainingText(120, 480, metrics, 45),
            "step 120 / 480 (25 %), 310 images/s, loss 0.2500, 45 s left");
}

TEST(ProgressLine, QuietSaysNothing) {
  Context context;
  context.quiet = true;
  ::testing::internal::CaptureStderr();
  {
    ProgressLine line(context, "x", "y");
    line.Update(1, 2);
    line.Note("a note");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(ProgressLine, TheFirstLineIsShownInAFileToo) {
  ::testing::internal::CaptureStderr();
  {
    ProgressLine line(Context{}, "x", "y");
    line.Show("starting");
    line.Show("too soon");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "starting\n");
}

TEST(ProgressLine, NotesArePlainLinesInAFile) {
  ::testing::internal::CaptureStderr();
  ProgressLine(Context{}, "x", "y").Note("a note");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "a note\n");
}

}  // namespace
}  // namespace ltml::cli
