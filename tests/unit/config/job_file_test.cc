#include "common/config/job_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/job_text.h"

namespace ltml::config {
namespace {

using ::testing::HasSubstr;

std::string FaultOf(const std::string& text) { return JobText(text + kSmallJob).Fault(); }

// kSmallJob with one more key.
std::string FaultOfKey(const std::string& line) { return JobText(kSmallJob + line).Fault(); }

TEST(ReadJobFile, FillsEveryDefault) {
  const auto job = JobText(kSmallJob).Read();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->name(), "job");
  EXPECT_EQ(job->model().architecture(), v1::Model::ARCHITECTURE_RESNET50);
  EXPECT_EQ(job->model().image_size(), 224);
  EXPECT_EQ(job->model().head_layers_size(), 0);
  EXPECT_EQ(job->streams().rebalanced(), v1::Streams::REBALANCED_CLASS_AWARE);
  EXPECT_EQ(job->loss().compensation(), v1::Loss::COMPENSATION_STATISTICS);
  EXPECT_EQ(job->loss().statistics_form(), v1::Loss::STATISTICS_FORM_RELATIVE);
  EXPECT_EQ(job->loss().statistics_prior(), 50);
  EXPECT_EQ(job->optimizer().learning_rate(), 0.02);
  EXPECT_THAT(job->optimizer().betas(), ::testing::ElementsAre(0.9, 0.999));
  EXPECT_THAT(job->schedule().milestones(), ::testing::ElementsAre(0.625, 0.875));
  EXPECT_EQ(job->limits().start().seconds(), 60);
  EXPECT_EQ(job->limits().evaluation().seconds(), 600);
  EXPECT_EQ(job->data().validation(), "");
  EXPECT_EQ(job->resources().device(), v1::Resources::DEVICE_CPU);
}

TEST(ReadJobFile, ReadsEveryKindOfValue) {
  const auto job = JobText(
                       "name = \"a.b-c_1\"\n[data]\ntrain = \"/sets/train\"\n"
                       "apply_orientation = false\n[model]\narchitecture = \"resnet18\"\n"
                       "head_layers = [256, 128]\n[optimizer]\nlearning_rate = 1\n"
                       "[streams]\nseed = 9007199254740992\n[schedule]\nsteps = 5_000_000_000\n"
                       "[limits]\nstep = \"1.5m\"\nstart = \"500ms\"\n")
                       .Read();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->name(), "a.b-c_1");
  EXPECT_EQ(job->data().train(), "/sets/train");
  EXPECT_FALSE(job->data().apply_orientation());
  EXPECT_EQ(job->model().architecture(), v1::Model::ARCHITECTURE_RESNET18);
  EXPECT_THAT(job->model().head_layers(), ::testing::ElementsAre(256, 128));
  EXPECT_EQ(job->optimizer().learning_rate(), 1.0);
  EXPECT_EQ(job->streams().seed(), uint64_t{1} << 53);
  EXPECT_EQ(job->schedule().steps(), 5'000'000'000);
  EXPECT_EQ(job->limits().step().seconds(), 90);
  EXPECT_EQ(job->limits().start().nanos(), 500'000'000);
}

TEST(ReadJobFile, MakesPathsAbsoluteFromTheJobFilesFolder) {
  const JobText text("[data]\ntrain = \"sets/../train\"\n[schedule]\nsteps = 1\n");
  const auto job = text.Read({"data.test=other/test"});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->data().train(), (text.folder() / "train").string());
  EXPECT_EQ(job->data().test(), (text.folder() / "other/test").string());
  EXPECT_EQ(job->data().validation(), "");
}

TEST(ReadJobFile, AbsentWarmupIsAtMostATenthOfTheRun) {
  EXPECT_EQ(JobText(kSmallJob).Read()->schedule().warmup_steps(), 10);
  EXPECT_EQ(JobText(kSmallJob).Read({"schedule.steps=100000"})->schedule().warmup_steps(), 500);
  EXPECT_EQ(JobText(kSmallJob).Read({"schedule.warmup_steps=70"})->schedule().warmup_steps(), 70);
}

TEST(ReadJobFile, OnlyFaultsThatFollowFromAnotherAreLeftOut) {
  const std::string evaluation = "evaluation.every_steps = 5\n";
  EXPECT_THAT(
      FaultOfKey("name = 5\n" + evaluation),
      ::testing::AllOf(HasSubstr("name: got 5"), HasSubstr("evaluation.every_steps: got 5")));
  EXPECT_THAT(FaultOfKey("s = 5\n" + evaluation), HasSubstr("evaluation.every_steps: got 5"));
  EXPECT_THAT(FaultOfKey("data.validation = 5\n" + evaluation),
              ::testing::Not(HasSubstr("evaluation.every_steps")));
}

TEST(ReadJobFile, NamesFileAndReasonWhenItCannotBeRead) {
  const auto job = ReadJobFile("/nowhere/job.toml", {});
  EXPECT_EQ(job.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(job.status().message()), HasSubstr("/nowhere/job.toml"));
}

TEST(ReadJobFile, SyntaxErrorsHaveLineAndColumn) {
  EXPECT_THAT(JobText("name = \"a\"\nsteps = = 3\n").Fault(),
              HasSubstr("job.toml:2:9: not valid TOML: "));
}

TEST(Faults, UnknownKeyGetsTheNearest) {
  EXPECT_EQ(FaultOfKey("model.widht = 3\n"),
            "job.toml:3: model.widht: got an unknown key, expected architecture, weights, width, "
            "image_size, head_layers, branches, head_bias, separate_bn_statistics; did you mean "
            "'width'?");
}

TEST(Faults, KeyOfAnotherTableIsFound) {
  EXPECT_THAT(FaultOfKey("model.learning_rate = 3\n"),
              HasSubstr("; did you mean 'optimizer.learning_rate'?"));
  EXPECT_THAT(FaultOf("steps = 3\n"), HasSubstr("; did you mean 'schedule.steps'?"));
}

TEST(Faults, WrongTypes) {
  EXPECT_EQ(FaultOfKey("model.width = \"wide\"\n"),
            "job.toml:3: model.width: got \"wide\", expected an integer from 1 to 1024");
  EXPECT_EQ(FaultOfKey("model.width = 3.5\n"),
            "job.toml:3: model.width: got 3.5, expected an integer from 1 to 1024");
  EXPECT_EQ(FaultOfKey("optimizer.momentum = true\n"),
            "job.toml:3: optimizer.momentum: got true, expected a number from 0 to 1");
  EXPECT_EQ(FaultOfKey("name = 3\n"), "job.toml:3: name: got 3, expected a string");
  EXPECT_EQ(FaultOfKey("data.test = [1]\n"),
            "job.toml:3: data.test: got an array, expected a path");
  EXPECT_EQ(FaultOfKey("optimizer.decay_norm = 1\n"),
            "job.toml:3: optimizer.decay_norm: got 1, expected true or false");
  EXPECT_EQ(FaultOfKey("model = 1\n"), "job.toml:3: model: got 1, expected a table");
  EXPECT_EQ(
      FaultOfKey("model.head_layers = 64\n"),
      "job.toml:3: model.head_layers: got 64, expected an array, each entry an integer from 1 "
      "to 65536");
  EXPECT_EQ(FaultOfKey("name = 2026-01-02\n"),
            "job.toml:3: name: got a date or time, expected a string");
}

TEST(Faults, Ranges) {
  EXPECT_EQ(FaultOfKey("model.width = 0\n"),
            "job.toml:3: model.width: got 0, expected an integer from 1 to 1024");
  EXPECT_EQ(FaultOfKey("optimizer.learning_rate = 0\n"),
            "job.toml:3: optimizer.learning_rate: got 0, expected a number above 0, at most 1000");
  EXPECT_EQ(
      FaultOfKey("optimizer.learning_rate = nan\n"),
      "job.toml:3: optimizer.learning_rate: got nan, expected a number above 0, at most 1000");
  EXPECT_EQ(FaultOfKey("streams.seed = -1\n"),
            "job.toml:3: streams.seed: got -1, expected an integer from 0 to 9007199254740992");
  EXPECT_EQ(FaultOfKey("resources.ranks = 4294967297\n"),
            "job.toml:3: resources.ranks: got 4294967297, expected an integer from 1 to 65536");
}

TEST(Faults, RangesOfEntries) {
  EXPECT_EQ(FaultOfKey("model.head_layers = [\n  64,\n  0]\n"),
            "job.toml:5: model.head_layers[1]: got 0, expected an integer from 1 to 65536");
}

TEST(Faults, Choices) {
  EXPECT_EQ(FaultOfKey("model.architecture = \"resnet10\"\n"),
            "job.toml:3: model.architecture: got \"resnet10\", expected one of \"resnet18\", "
            "\"resnet34\", \"resnet50\", \"resnet101\"; did you mean 'resnet18'?");
  EXPECT_EQ(FaultOfKey("schedule.decay = \"\"\n"),
            "job.toml:3: schedule.decay: got \"\", expected one of \"step\", \"cosine\"");
}

TEST(Faults, Durations) {
  EXPECT_EQ(FaultOfKey("limits.step = \"5 minutes\"\n"),
            "job.toml:3: limits.step: got \"5 minutes\", expected a duration such as \"500ms\", "
            "\"30s\", \"1.5m\" or \"2h\" from 0.1s to 86400s");
  EXPECT_THAT(FaultOfKey("limits.step = 30\n"), HasSubstr("got 30, expected a duration"));
  EXPECT_THAT(FaultOfKey("limits.step = \"10ms\"\n"), HasSubstr("from 0.1s to 86400s"));
}

TEST(Faults, MissingKeys) {
  EXPECT_EQ(JobText("name = \"a\"\n[data]\ntest = \"t\"\n").Fault(),
            "job.toml: schedule.steps: missing, expected an integer from 1 to 1099511627776\n"
            "job.toml:2: data.train: missing, expected a path");
}

// Whether its processor is one for bfloat16 a rank alone can tell.
TEST(JobFile, Bfloat16IsForEveryDevice) {
  for (const char* device : {"cpu", "cuda"}) {
    const auto job = JobText(std::string(kSmallJob) + "resources.device = \"" + device +
                             "\"\nresources.precision = \"bfloat16\"\n")
                         .Read();
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->resources().precision(), v1::Resources::PRECISION_BFLOAT16);
  }
}

TEST(Faults, LaterFeatures) {
  const std::string later = " is not available in this version";
  EXPECT_EQ(FaultOfKey("streams.rebalanced = \"power\"\n"),
            "job.toml:3: streams.rebalanced: \"power\"" + later);
  EXPECT_EQ(FaultOfKey("data.max_bad_samples = 2\n"),
            "job.toml:3: data.max_bad_samples: 2" + later);
  EXPECT_EQ(FaultOfKey("model.sync_batch_norm = true\n"),
            "job.toml:3: model.sync_batch_norm: not available in this version");
}

TEST(Faults, AllAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(
      FaultOfKey("optimizer.momentum = 2\nmodel.width = 0\nresources.ranks = 64\n"),
      "job.toml:3: optimizer.momentum: got 2, expected a number from 0 to 1\n"
      "job.toml:4: model.width: got 0, expected an integer from 1 to 1024\n"
      "job.toml:5: resources.ranks: got 64 ranks, expected at most streams.global_batch = 32, "
      "so that every rank has an image in every step; use fewer ranks or a larger batch");
}

TEST(Faults, WhatFollowsFromAFaultIsNotToldAgain) {
  EXPECT_EQ(JobText("data.train = \"t\"\nschedule.steps = 0\nschedule.warmup_steps = 10\n").Fault(),
            "job.toml:2: schedule.steps: got 0, expected an integer from 1 to 1099511627776");
}

TEST(Overrides, ReplaceValuesOfAnyType) {
  const auto job = JobText(kSmallJob).Read(
      {"schedule.steps=7", "model.architecture=resnet18", "name=2026", "limits.step=30s",
       "model.head_layers=[3, 4]", "optimizer.decay_norm=false", "schedule.decay=\"cosine\""});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->schedule().steps(), 7);
  EXPECT_EQ(job->model().architecture(), v1::Model::ARCHITECTURE_RESNET18);
  EXPECT_EQ(job->name(), "2026");
  EXPECT_EQ(job->limits().step().seconds(), 30);
  EXPECT_THAT(job->model().head_layers(), ::testing::ElementsAre(3, 4));
  EXPECT_FALSE(job->optimizer().decay_norm());
  EXPECT_EQ(job->schedule().decay(), v1::Schedule::DECAY_COSINE);
}

TEST(Overrides, MendAFaultOfTheFile) {
  EXPECT_EQ(JobText("data.train = \"t\"\nschedule.steps = 0\n").Fault({"schedule.steps=3"}), "ok");
}

TEST(Overrides, FaultsNameTheOverride) {
  const JobText job(kSmallJob);
  EXPECT_EQ(
      job.Fault({"model.width=wide"}),
      "--set model.width=wide: model.width: got \"wide\", expected an integer from 1 to 1024");
  EXPECT_THAT(job.Fault({"model.wdth=3"}),
              HasSubstr("--set model.wdth=3: model.wdth: got an unkno"));
  EXPECT_THAT(job.Fault({"nonsense"}),
              HasSubstr("--set nonsense: nonsense: expected path=value, as in schedule.steps=100"));
  EXPECT_THAT(job.Fault({"=3"}), HasSubstr("expected path=value"));
  EXPECT_THAT(job.Fault({"schedule.steps.x=3"}), HasSubstr("its table is no table"));
  EXPECT_THAT(job.Fault({"model.width=1\nname = \"x\""}), HasSubstr("expected an integer"));
}

}  // namespace
}  // namespace ltml::config
