#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/job_text.h"

namespace ltml::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string FaultOf(const std::vector<std::string>& overrides) {
  return JobText(kSmallJob).Fault(overrides);
}

TEST(ValidateJob, AcceptsDefaults) { EXPECT_EQ(FaultOf({}), "ok"); }

TEST(ValidateJob, Names) {
  EXPECT_THAT(FaultOf({"name=a/b"}), HasSubstr("name: got \"a/b\", expected 1 to 100 letters"));
  EXPECT_THAT(FaultOf({"name=.."}), HasSubstr("not starting with '.'"));
  EXPECT_THAT(FaultOf({"name="}), HasSubstr("name: got \"\""));
}

TEST(ValidateJob, RanksNeedAnImageEach) {
  EXPECT_EQ(FaultOf({"resources.ranks=32"}), "ok");
  EXPECT_THAT(FaultOf({"resources.ranks=33"}), HasSubstr("resources.ranks: got 33 ranks"));
}

// 2^21 / 32 = 65536: the first window whose images reach the limit.
TEST(ValidateJob, WindowMustNotOverflow) {
  EXPECT_EQ(FaultOf({"loss.statistics_window=65535"}), "ok");
  EXPECT_THAT(FaultOf({"loss.statistics_window=65536"}),
              HasSubstr("loss.statistics_window: got 65536 steps of streams.global_batch = 32, "
                        "together 2097152 images, expected fewer than 2097152"));
}

// At 32 px the last map has one pixel, so a slice of one image holds 1 value a stream.
TEST(ValidateJob, NormalisedMapsNeedTwoValues) {
  const std::string images = "streams.global_batch=2", ranks = "resources.ranks=2";
  const std::string fault = "streams.global_batch: got 2 with resources.ranks = 2";
  EXPECT_EQ(FaultOf({images, ranks, "model.image_size=32"}), "ok");
  EXPECT_EQ(FaultOf({images, ranks, "model.image_size=33", "model.branches=uniform"}), "ok");
  EXPECT_THAT(FaultOf({images, ranks, "model.image_size=32", "model.branches=uniform"}),
              HasSubstr(fault));
  EXPECT_THAT(FaultOf({images, ranks, "model.image_size=32", "model.separate_bn_statistics=true"}),
              HasSubstr(fault));
}

TEST(ValidateJob, PairsHaveTwoOrderedEntries) {
  EXPECT_EQ(FaultOf({"augmentation.crop_scale=[1, 1]"}), "ok");
  EXPECT_THAT(FaultOf({"augmentation.crop_scale=[0.5]"}), HasSubstr("got 1 entries, expected 2"));
  EXPECT_THAT(FaultOf({"augmentation.crop_ratio=[2, 1]"}),
              HasSubstr("got [2, 1], expected the smaller one first"));
  EXPECT_THAT(FaultOf({"optimizer.betas=[0.9, 1]"}),
              HasSubstr("expected 2 numbers from 0 to below"));
}

TEST(ValidateJob, Schedules) {
  EXPECT_THAT(FaultOf({"schedule.milestones=[0.5, 0.5]"}),
              HasSubstr("expected shares that ascend"));
  EXPECT_EQ(FaultOf({"schedule.milestones=[]"}), "ok");
  EXPECT_THAT(FaultOf({"schedule.warmup_steps=101"}),
              HasSubstr("got 101, expected at most schedule.steps = 100"));
  EXPECT_THAT(FaultOf({"evaluation.every_steps=10"}), HasSubstr("0 without data.validation"));
  EXPECT_EQ(FaultOf({"evaluation.every_steps=10", "data.validation=v"}), "ok");
}

TEST(ValidateJob, ServesSpecsFromElsewhere) {
  v1::JobSpec job = *JobText(kSmallJob).Read();
  EXPECT_THAT(ValidateJob(job), ElementsAre());
  job.mutable_resources()->set_ranks(40);
  EXPECT_THAT(ValidateJob(job), ElementsAre(StartsWith("resources.ranks: ")));
}

}  // namespace
}  // namespace ltml::config
