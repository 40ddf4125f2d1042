#include "coordinator/monitoring/site.h"

#include <gmock/gmock.h>

#include "common/page/document.h"
#include "tests/unit/api/fake_manager.h"
#include "tests/unit/monitoring/snapshot.h"
#include "tests/unit/page/markup.h"
#include "tests/unit/view/fixture.h"

namespace ltml::monitoring {
namespace {

using testing::HasSubstr;
using testing::Not;

class SiteTest : public view::RunFolderTest {
 protected:
  // A job with this name that trains, and its run folder.
  void Put(const std::string& name, v1::JobState state = v1::JOB_STATE_RUNNING) {
    Begin();
    service::LiveJob live = RunningJob("a", 3);
    live.job.mutable_spec()->set_name(name);
    live.job.set_run_folder(run_.string());
    live.job.set_state(state);
    manager_.Put(live.job);
    manager_.PutLive(live);
  }
  HttpResponse Get(const std::string& path, const std::string& query = "") {
    return site_.Answer({.path = path, .query = ParseQuery(query), .host = "localhost:7611"});
  }

  coordinator::FakeManager manager_;
  Views views_{manager_};
  Scrape scrape_{{.manager = &manager_, .class_series = 100, .server = [] { return SomeFacts(); }}};
  security::Directory directory_ = *security::Directory::Create({});
  Gate gate_{directory_, true};
  bool ready_ = true;
  Site site_{
      {.manager = &manager_, .views = &views_, .scrape = &scrape_, .gate = &gate_, .ready = [this] {
         return ready_;
       }}};
};

TEST_F(SiteTest, TellsHealthToEverybody) {
  EXPECT_EQ(site_.Answer({.path = "/healthz", .host = "evil"}).status, 200);
  EXPECT_EQ(site_.Answer({.path = "/readyz", .host = "evil"}).status, 200);
  ready_ = false;
  EXPECT_EQ(site_.Answer({.path = "/healthz", .host = "evil"}).status, 200);
  EXPECT_EQ(site_.Answer({.path = "/readyz", .host = "evil"}).status, 503);
  for (const char* path : {"/", "/metrics", "/live.js", "/jobs/a", "/jobs/a/logs/0", "/nowhere"}) {
    EXPECT_EQ(site_.Answer({.path = path, .host = "evil"}).status, 403) << path;
  }
}

TEST_F(SiteTest, ListsJobsWithRateAndTimeLeft) {
  Put("clipart");
  const std::string page = Get("/").body;
  EXPECT_THAT(page, HasSubstr("<a href=\"/jobs/a\"><bdi>clipart</bdi></a>"));
  EXPECT_THAT(page, HasSubstr("240 of 1,000"));
  EXPECT_THAT(page, HasSubstr("<td class=\"number\">640</td>"));
  // 760 steps of 64 images at 640 a second.
  EXPECT_THAT(page, HasSubstr("<td class=\"number\">1 min 16 s</td>"));
  page::ExpectSound(page);
}

TEST_F(SiteTest, APageOfAJobRenewsItselfUntilTheJobHasEnded) {
  Put("clipart");
  HttpResponse answer = Get("/jobs/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("<script src=\"/live.js\""));
  EXPECT_THAT(answer.body, HasSubstr("http-equiv=\"refresh\""));
  EXPECT_THAT(answer.body, HasSubstr("<title>clipart, running, 24 % - ltml</title>"));
  page::ExpectSound(answer.body);
  Put("clipart", v1::JOB_STATE_FAILED);
  answer = Get("/jobs/a");
  EXPECT_THAT(answer.body, Not(HasSubstr("<script")));
  EXPECT_THAT(answer.body, Not(HasSubstr("http-equiv")));
}

TEST_F(SiteTest, ALogIsText) {
  Put("clipart");
  Append("attempts/2/rank-1.log", "one\n\x1b[31mtwo\xFF\n");
  const HttpResponse answer = Get("/jobs/a/logs/1");
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(answer.body, "one\n\\x1b[31mtwo\\xff\n");
  EXPECT_EQ(Get("/jobs/a/logs/0").status, 404);
  EXPECT_EQ(Get("/jobs/a/logs/-2").status, 404);
  EXPECT_EQ(Get("/jobs/a/logs/../../job.json").status, 404);
}

TEST_F(SiteTest, WhatIsNotThereIsToldOnAPage) {
  for (const char* path :
       {"/nowhere", "/jobs", "/jobs/", "/jobs/b", "/jobs/a/b", "/jobs/<script>"}) {
    const HttpResponse answer = Get(path);
    EXPECT_EQ(answer.status, 404) << path;
    page::ExpectSound(answer.body);
  }
}

TEST_F(SiteTest, NoNameBreaksAPage) {
  for (const std::string& name : page::NastyNames()) {
    if (name.find('\xFF') != std::string::npos) continue;  // no message holds it
    Put(name);
    for (const char* path : {"/", "/jobs/a"}) {
      page::ExpectSound(Get(path).body);
    }
  }
}

}  // namespace
}  // namespace ltml::monitoring
