#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "common/base/files.h"
#include "common/config/comments.h"
#include "common/config/job_file.h"

namespace ltml::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SchemaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(parser_.parse(simdjson::padded_string(JobSchema())).get(schema_), simdjson::SUCCESS);
  }

  std::string Text(const std::string& pointer) {
    std::string_view text;
    EXPECT_EQ(schema_.at_pointer(pointer).get(text), simdjson::SUCCESS) << pointer;
    return std::string(text);
  }

  simdjson::dom::parser parser_;
  simdjson::dom::element schema_;
};

TEST_F(SchemaTest, DescribesValues) {
  EXPECT_EQ(Text("/$schema"), "https://json-schema.org/draft/2020-12/schema");
  const std::string model = "/properties/model/properties";
  EXPECT_EQ(Text(model + "/architecture/enum/0"), "resnet18");
  EXPECT_EQ(Text(model + "/architecture/default"), "resnet50");
  EXPECT_EQ(Text(model + "/head_layers/type"), "array");
  EXPECT_EQ(Text(model + "/head_layers/items/type"), "integer");
  EXPECT_EQ(Text("/properties/limits/properties/step/default"), "300s");
  EXPECT_THAT(Text(model + "/image_size/description"), HasSubstr("in pixels."));
  EXPECT_EQ(Text("/required/0"), "data");
  EXPECT_EQ(Text("/properties/data/required/0"), "train");
  EXPECT_EQ(schema_.at_pointer(model + "/width/maximum").get_int64().value(), 1024);
}

TEST_F(SchemaTest, HidesLaterFeatures) {
  const std::string schema = JobSchema();
  for (const char* later : {"repeat_factor", "sync_batch_norm"}) {
    EXPECT_THAT(schema, Not(HasSubstr(later)));
  }
}

// Every field carries a default that its own rule accepts, or is required: a job file with the two
// required keys would not be read otherwise (job_file_test).  Here: every one has its row.
TEST(JobReference, HasARowForEveryField) {
  const std::string reference = JobReference();
  const auto& job = *v1::JobSpec::descriptor();
  for (int i = 0; i < job.field_count(); ++i) {
    if (job.field(i)->message_type() == nullptr) continue;
    EXPECT_THAT(reference, HasSubstr("\n## [" + job.field(i)->name() + "]\n"));
    const auto& table = *job.field(i)->message_type();
    for (int j = 0; j < table.field_count(); ++j) {
      EXPECT_THAT(reference, HasSubstr("\n| `" + table.field(j)->name() + "` |"));
    }
  }
}

TEST(JobReference, IsWhatTheDocumentationHolds) {
  const auto page = base::ReadFile(LTML_SOURCE_DIR "/docs/job-file.md");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(*page, JobReference()) << "run: ltml schema --reference > docs/job-file.md";
}

TEST(CommentOf, JoinsLines) {
  const auto* field = v1::Schedule::descriptor()->FindFieldByName("warmup_steps");
  EXPECT_EQ(
      CommentOf(*field),
      "Linear warm-up from warmup_start of the learning rate to all of it. Absent: the default, "
      "but no more than a tenth of the run.");
}

}  // namespace
}  // namespace ltml::config
