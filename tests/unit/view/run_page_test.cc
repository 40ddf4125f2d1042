#include "common/view/run_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/proto_time.h"
#include "tests/unit/page/markup.h"

namespace ltml::view {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::RunView Seen() {
  v1::RunView view;
  *view.mutable_time() = base::ToTimestamp(std::chrono::system_clock::now());
  view.set_train_images(1000);
  v1::Job& job = *view.mutable_job();
  job.set_name("jobs/20260102-clipart");
  job.set_owner("ada");
  job.set_state(v1::JOB_STATE_RUNNING);
  job.mutable_spec()->set_name("clipart");
  job.mutable_spec()->mutable_schedule()->set_steps(1000);
  job.mutable_spec()->mutable_streams()->set_global_batch(32);
  job.mutable_spec()->mutable_model()->set_branches(v1::Model::BRANCHES_BOTH);
  job.set_step(250);
  job.set_attempt_epoch(2);
  job.mutable_metrics()->set_loss(0.25);
  job.mutable_metrics()->set_images_per_second(640);
  for (const auto& [step, tail] : {std::pair(100, 0.25), {200, 0.5}}) {
    v1::EvaluationPoint& point = *job.add_evaluations();
    point.set_step(step);
    point.mutable_mean_average_precision()->set_total(0.5);
    point.mutable_mean_average_precision()->set_tail(tail);
    view.add_validation_steps(step);
  }
  for (const auto& [name, train, before, now] :
       {std::tuple("sky", 300, 0.75, 0.875), {"cow", 40, 0.5, 0.25}, {"cat", 4, 0.0, 0.125}}) {
    v1::ClassView& one = *view.add_classes();
    one.set_name(name);
    one.set_group(train >= 100 ? "head" : train >= 20 ? "medium" : "tail");
    one.set_train_positives(train);
    one.set_uniform_positives(10 * train);
    one.set_rebalanced_positives(777);
    one.add_average_precision(before);
    one.add_average_precision(now);
    one.set_uniform_mu(-0.125);
    one.set_uniform_sigma(1.5);
  }
  for (int rank = 0; rank < 2; ++rank) {
    v1::RankStatus& status = *job.add_ranks();
    status.set_rank(rank);
    status.set_host("node-a");
    status.mutable_times()->set_steps(100);
    status.mutable_times()->set_compute_seconds(rank == 0 ? 10 : 30);
    status.mutable_times()->set_collective_wait_seconds(rank == 0 ? 20 : 0);
  }
  v1::Attempt& lost = *job.add_attempts();
  lost.set_epoch(1);
  lost.mutable_failure()->set_cause(v1::FAILURE_CAUSE_RANK_LOST);
  lost.mutable_failure()->set_rank(1);
  lost.mutable_failure()->set_message("killed by signal 9");
  job.add_attempts()->set_epoch(2);
  v1::LogTail& log = *view.add_logs();
  log.set_rank(0);
  log.set_attempt_epoch(2);
  log.set_text("a line\n");
  view.add_steps()->set_step(1);
  return view;
}

std::string Page(const v1::RunView& view, const RunPageOptions& options = {}) {
  return RunPage(view, options).markup();
}

TEST(RunPage, AnswersAtAGlance) {
  const std::string page = Page(Seen());
  page::ExpectSound(page);
  EXPECT_THAT(page, HasSubstr(">running</span> step 250 of 1,000 (25 %)"));
  EXPECT_THAT(page, HasSubstr("<progress max=\"1000\" value=\"250\""));
  // 750 steps of 64 images at 640 a second.
  EXPECT_THAT(page, HasSubstr("1 min 15 s"));
  EXPECT_THAT(page, HasSubstr("50.0 %"));
  EXPECT_THAT(page, HasSubstr("▲ +25.0"));
  EXPECT_THAT(page, HasSubstr("Rank 1 works 3.0 times as long as the others"));
  EXPECT_THAT(page, HasSubstr("a rank was lost (rank 1 at step 0): killed by signal 9"));
  EXPECT_THAT(page, HasSubstr("a line\n"));
  EXPECT_THAT(page, HasSubstr("-0.12, ×1.50"));
  EXPECT_THAT(page, HasSubstr(">777<"));
}

TEST(RunPage, WeakestComeFirst) {
  const std::string page = Page(Seen());
  const std::string weakest = page.substr(page.find("id=\"weakest\""), page.find("id=\"curves\""));
  EXPECT_LT(weakest.find(">cat<"), weakest.find(">cow<"));
  EXPECT_LT(weakest.find(">cow<"), weakest.find(">sky<"));
}

TEST(RunPage, TheTableOfClassesStandsAsAsked) {
  const auto order = [](ClassOrder by) {
    const std::string page = Page(Seen(), {.order = by, .address = "/jobs/x"});
    const std::string table = page.substr(page.find("id=\"classes-table\""));
    std::vector<std::pair<size_t, std::string>> names;
    for (const char* name : {"sky", "cow", "cat"}) {
      names.emplace_back(table.find(std::string(">") + name + "<"), name);
    }
    std::sort(names.begin(), names.end());
    return names[0].second + names[1].second + names[2].second;
  };
  EXPECT_EQ(order(ClassOrder::kRarest), "catcowsky");
  EXPECT_EQ(order(ClassOrder::kWeakest), "catcowsky");
  EXPECT_EQ(order(ClassOrder::kName), "catcowsky");
  EXPECT_EQ(order(ClassOrder::kChange), "cowskycat");
}

TEST(RunPage, LinksOnlyWhereItIsServed) {
  EXPECT_THAT(Page(Seen()), Not(HasSubstr("href=")));
  const std::string served = Page(Seen(), {.order = ClassOrder::kRarest, .address = "/jobs/x"});
  EXPECT_THAT(served, HasSubstr("href=\"/jobs/x?classes=weakest#classes\""));
  EXPECT_THAT(served, Not(HasSubstr("classes=rarest")));
  EXPECT_THAT(served, HasSubstr("href=\"/jobs/x/logs/0\""));
}

TEST(RunPage, AJobThatWaitsHasAPageToo) {
  v1::RunView view;
  view.mutable_job()->set_state(v1::JOB_STATE_QUEUED);
  view.mutable_job()->set_wait_reason("2 jobs come first");
  view.mutable_job()->mutable_spec()->set_name("next");
  const std::string page = Page(view);
  page::ExpectSound(page);
  EXPECT_THAT(page, HasSubstr("queued"));
  EXPECT_THAT(page, HasSubstr("2 jobs come first"));
  EXPECT_THAT(page, HasSubstr("nothing yet"));
}

TEST(RunPage, TellsWhatCouldNotBeRead) {
  v1::RunView view = Seen();
  view.set_fault("report.json: not JSON");
  EXPECT_THAT(Page(view), HasSubstr("The run folder cannot be read: report.json: not JSON"));
}

TEST(RunPage, NoNameBreaksIt) {
  for (const std::string& name : page::NastyNames()) {
    v1::RunView view = Seen();
    v1::Job& job = *view.mutable_job();
    job.mutable_spec()->set_name(name);
    job.set_owner(name);
    job.set_run_folder(name);
    job.set_wait_reason(name);
    view.mutable_classes(0)->set_name(name);
    view.mutable_classes(1)->set_group(name);
    job.mutable_ranks(1)->set_host(name);
    job.mutable_attempts(0)->mutable_failure()->set_message(name);
    job.mutable_attempts(0)->add_placements()->set_host(name);
    view.mutable_logs(0)->set_text(name);
    view.set_fault(name);
    const std::string page = Page(view, {.order = ClassOrder::kName, .address = "/jobs/x"});
    page::ExpectSound(page);
    EXPECT_THAT(page, Not(HasSubstr("<script")));
    EXPECT_THAT(page, Not(HasSubstr("\x1b")));
  }
}

}  // namespace
}  // namespace ltml::view
