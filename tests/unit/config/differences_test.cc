#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/config/job_text.h"

namespace ltml::config {
namespace {

using ::testing::ElementsAre;

v1::JobSpec Job(const std::vector<std::string>& overrides) {
  const auto job = ReadJobFile(LTML_SOURCE_DIR "/tests/unit/config/small_job.toml", overrides);
  EXPECT_TRUE(job.ok()) << job.status();
  return job.value_or(v1::JobSpec());
}

TEST(Differences, ListsFieldsInOrder) {
  EXPECT_THAT(Differences(Job({}), Job({})), ElementsAre());
  EXPECT_THAT(
      Differences(Job({}),
                  Job({"schedule.steps=200", "schedule.warmup_steps=10", "model.head_layers=[8]",
                       "model.architecture=resnet18", "limits.step=1m", "name=other"})),
      ElementsAre("name: \"job\" != \"other\"", "model.architecture: \"resnet50\" != \"resnet18\"",
                  "model.head_layers: [] != [8]", "schedule.steps: 100 != 200",
                  "limits.step: \"300s\" != \"60s\""));
}

TEST(SettingsDigest, IgnoresWhatChangesNoResult) {
  const std::string digest = SettingsDigest(Job({}));
  EXPECT_EQ(digest.size(), 64u);
  for (const char* same : {"name=x", "resources.ranks=2", "resources.threads_per_rank=2",
                           "limits.step=1m", "checkpoint.every_steps=7", "checkpoint.keep=1",
                           "data.train=elsewhere", "data.loader_threads=2"}) {
    EXPECT_EQ(SettingsDigest(Job({same})), digest) << same;
  }
}

TEST(SettingsDigest, ChangesWithEverythingElse) {
  const std::string digest = SettingsDigest(Job({}));
  for (const char* other :
       {"streams.seed=2", "model.width=32", "loss.consistency=0", "data.apply_orientation=false",
        "evaluation.final=last", "augmentation.flip=0", "schedule.decay=cosine"}) {
    EXPECT_NE(SettingsDigest(Job({other})), digest) << other;
  }
}

}  // namespace
}  // namespace ltml::config
