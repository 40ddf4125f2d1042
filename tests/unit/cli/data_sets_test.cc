#include "cli/data_sets.h"

#include <gtest/gtest.h>

#include "cli/context.h"

namespace ltml::cli {
namespace {

TEST(OpenTrainingSet, MissingDataEndsWithOne) {
  v1::JobSpec job;
  job.mutable_data()->set_train("/nowhere/train");
  const auto set = OpenTrainingSet(job);
  EXPECT_EQ(ExitCode(set.status()), 1);
  EXPECT_NE(std::string(set.status().message()).find("/nowhere/train"), std::string::npos);
}

}  // namespace
}  // namespace ltml::cli
