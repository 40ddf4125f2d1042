#include "worker/train/batch_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ltml::train {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

constexpr seconds kLimit(20);
constexpr int64_t kSize = 2, kClasses = 3;

// One batch that is written over at each call: step s is full of s, and there when it is `ready`.
class OneBatch : public BatchSource {
 public:
  absl::StatusOr<const Batch*> Next(int64_t step, std::chrono::nanoseconds timeout) override {
    asked.push_back(step);
    if (step > ready && timeout < kLimit) {
      std::ranges::fill(batch_.pixels_B3HW, -1.0F);
      return absl::DeadlineExceededError("not there yet");
    }
    if (step == broken) return absl::InvalidArgumentError("image 7");
    batch_.step = step;
    batch_.uniform_images = 2;
    batch_.rebalanced_images = step == odd ? 2 : 1;
    const int64_t rows = batch_.uniform_images + batch_.rebalanced_images;
    batch_.pixels_B3HW.assign(rows * 3 * kSize * kSize, static_cast<float>(step));
    batch_.labels_BK.assign(rows * kClasses, static_cast<float>(step % 2));
    return &batch_;
  }

  int64_t ready = 1000, broken = -1, odd = -1;
  std::vector<int64_t> asked;

 private:
  Batch batch_;
};

BatchFeedOptions OptionsOf(bool ahead, at::ScalarType type = at::kFloat) {
  return {.tensors = at::TensorOptions(at::kCPU).dtype(type),
          .image_size = kSize,
          .classes = kClasses,
          .steps = 5,
          .ahead = ahead};
}

void ExpectStep(const StepImages& images, int64_t step, int64_t rows = 3) {
  EXPECT_EQ(images.rows(), rows);
  EXPECT_EQ(images.x_B3HW.sizes(), (at::IntArrayRef{rows, 3, kSize, kSize}));
  EXPECT_EQ(images.y_BK.sizes(), (at::IntArrayRef{rows, kClasses}));
  EXPECT_TRUE(images.x_B3HW.eq(step).all().item<bool>()) << "step " << step;
  EXPECT_TRUE(images.y_BK.eq(step % 2).all().item<bool>()) << "step " << step;
}

TEST(BatchFeed, WithoutAheadLiesOverTheBatch) {
  OneBatch source;
  BatchFeed feed(source, OptionsOf(false));
  for (int64_t step = 0; step < 3; ++step) {
    const auto images = feed.Next(step, kLimit);
    ASSERT_TRUE(images.ok()) << images.status();
    ExpectStep(*images, step);
    EXPECT_EQ(images->labels_BK.data(), images->y_BK.const_data_ptr<float>());
    feed.Ahead(step);
  }
  EXPECT_THAT(source.asked, ElementsAre(0, 1, 2));
}

// The step's images stay while the source writes over its batch for the next one.
TEST(BatchFeed, CopiesTheNextBatchWhileAStepIsUnderWay) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    OneBatch source;
    BatchFeed feed(source, OptionsOf(true, type));
    for (int64_t step = 0; step < 5; ++step) {
      const auto images = feed.Next(step, kLimit);
      ASSERT_TRUE(images.ok()) << images.status();
      EXPECT_EQ(images->x_B3HW.scalar_type(), type);
      feed.Ahead(step);
      ExpectStep(*images, step);
    }
    EXPECT_THAT(source.asked, ElementsAre(0, 1, 2, 3, 4));  // none beyond the last step
  }
}

// A step that the next batch is fetched beside; its images stay.
void ExpectStepBesideFetch(BatchFeed& feed, int64_t step, int64_t rows) {
  const auto images = feed.Next(step, kLimit);
  ASSERT_TRUE(images.ok()) << images.status();
  feed.Ahead(step);
  ExpectStep(*images, step, rows);
}

TEST(BatchFeed, WaitsInNextForWhatWasNotThereYet) {
  OneBatch source;
  source.ready = 0;
  BatchFeed feed(source, OptionsOf(true));
  for (int64_t step = 0; step < 3; ++step) ExpectStepBesideFetch(feed, step, 3);
  EXPECT_THAT(source.asked, ElementsAre(0, 1, 1, 2, 2, 3));
}

TEST(BatchFeed, AnErrorOfTheNextBatchIsToldByTheNextStep) {
  OneBatch source;
  source.broken = 1;
  BatchFeed feed(source, OptionsOf(true));
  const auto images = feed.Next(0, kLimit);
  ASSERT_TRUE(images.ok());
  feed.Ahead(0);
  ExpectStep(*images, 0);
  EXPECT_EQ(feed.Next(1, kLimit).status(), absl::InvalidArgumentError("image 7"));
}

TEST(BatchFeed, AStepMayHaveAnotherNumberOfImages) {
  OneBatch source;
  source.odd = 2;
  BatchFeed feed(source, OptionsOf(true));
  for (int64_t step = 0; step < 5; ++step) ExpectStepBesideFetch(feed, step, step == 2 ? 4 : 3);
}

TEST(BatchFeed, InterleavedPixelsAreImagesToo) {
  OneBatch source;
  BatchFeedOptions options = OptionsOf(true);
  options.channels_last_pixels = true;
  BatchFeed feed(source, options);
  const auto images = feed.Next(0, kLimit);
  ASSERT_TRUE(images.ok()) << images.status();
  ExpectStep(*images, 0);
  EXPECT_TRUE(images->x_B3HW.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(BatchFeed, ABatchThatDoesNotFitIsRefused) {
  for (const bool ahead : {false, true}) {
    OneBatch source;
    BatchFeedOptions options = OptionsOf(ahead);
    options.image_size = kSize + 1;
    const auto images = BatchFeed(source, options).Next(0, kLimit);
    EXPECT_EQ(images.status().code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(images.status().message()),
                testing::HasSubstr("36 pixel values (expected 81), 9 labels (expected 9)"));
  }
}

}  // namespace
}  // namespace ltml::train
