#include "cli/data_sets.h"

#include <gtest/gtest.h>

#include "cli/context.h"

namespace ltml::cli {
namespace {

TEST(ClassTableDifference, NamesTheFirst) {
  EXPECT_EQ(ClassTableDifference({"a", "b"}, {"a", "b"}), "");
  EXPECT_EQ(ClassTableDifference({"a", "c"}, {"a", "b"}), "class 1 is 'c', expected 'b'");
  EXPECT_EQ(ClassTableDifference({"a"}, {"a", "b"}), "got 1 classes, expected 2");
}

TEST(OpenTrainingSet, MissingDataEndsWithOne) {
  v1::JobSpec job;
  job.mutable_data()->set_train("/nowhere/train");
  const auto set = OpenTrainingSet(job);
  EXPECT_EQ(ExitCode(set.status()), 1);
  EXPECT_NE(std::string(set.status().message()).find("/nowhere/train"), std::string::npos);
}

}  // namespace
}  // namespace ltml::cli
