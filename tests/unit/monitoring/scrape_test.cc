#include "coordinator/monitoring/scrape.h"

#include <gmock/gmock.h>

#include "coordinator/monitoring/process_facts.h"
#include "tests/unit/api/fake_manager.h"
#include "tests/unit/monitoring/snapshot.h"
#include "tests/unit/view/fixture.h"

namespace ltml::monitoring {
namespace {

using testing::HasSubstr;
using testing::Not;

class ScrapeTest : public view::RunFolderTest {
 protected:
  void Put() {
    service::LiveJob live = RunningJob("a", 3);
    live.job.set_run_folder(run_.string());
    manager_.PutLive(live);
  }
  coordinator::FakeManager manager_;
  Scrape scrape_{{.manager = &manager_, .class_series = 6, .server = [] { return SomeFacts(); }}};
};

TEST_F(ScrapeTest, ReadsClassesWhenTheRunFolderIsThere) {
  Put();
  EXPECT_THAT(scrape_.Text(), Not(HasSubstr("ltml_class_train_images")));
  Begin();
  EXPECT_THAT(scrape_.Text(), HasSubstr("ltml_class_train_images{job=\"a\",class=\"sky\"} 200\n"));
  // It does not change once it is there.
  std::filesystem::remove(run_ / run::kDataFile);
  EXPECT_THAT(scrape_.Text(), HasSubstr("ltml_class_train_images{job=\"a\",class=\"sky\"} 200\n"));
}

TEST_F(ScrapeTest, CountsOnOverScrapes) {
  Begin();
  Put();
  EXPECT_THAT(scrape_.Text(), HasSubstr("ltml_class_series_dropped_total 12\n"));
  EXPECT_THAT(scrape_.Text(), HasSubstr("ltml_class_series_dropped_total 24\n"));
}

TEST(ProcessFacts, AreOfThisProcess) {
  const auto folder = *base::PrivateFolder::Create("facts");
  const ServerFacts facts = ReadProcess({{"store", folder.path()}, {"gone", "/no/such/folder"}});
  EXPECT_GT(facts.resident_bytes, 1 << 20);
  EXPECT_LT(facts.resident_bytes, 4e9);
  EXPECT_GT(facts.cpu_seconds, 0);
  EXPECT_GE(facts.open_files, 3);
  EXPECT_GT(facts.start_seconds, 1.7e9);
  ASSERT_EQ(facts.disks.size(), 1u);
  EXPECT_EQ(facts.disks[0].folder, "store");
  EXPECT_GT(facts.disks[0].free_bytes, 0);
  EXPECT_LE(facts.disks[0].free_bytes, facts.disks[0].size_bytes);
}

}  // namespace
}  // namespace ltml::monitoring
