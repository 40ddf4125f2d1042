#include "coordinator/monitoring/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <regex>
#include <set>
#include <sstream>

#include "common/base/files.h"
#include "coordinator/monitoring/metrics.h"
#include "tests/unit/monitoring/snapshot.h"
#include "tests/unit/page/markup.h"

namespace ltml::monitoring {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// With LTML_UPDATE set, the file is written anew instead.
void ExpectFile(const std::string& file, const std::string& text) {
  const std::string path = LTML_SOURCE_DIR "/" + file;
  if (std::getenv("LTML_UPDATE") != nullptr) {
    ASSERT_TRUE(base::WriteFileAtomically(path, text).ok());
  }
  EXPECT_EQ(base::ReadFile(path).value_or(""), text)
      << "run: LTML_UPDATE=1 build/tests/monitoring_test, and look at the change";
}

std::string TextOf(const Snapshot& snapshot) {
  return prometheus::TextSerializer().Serialize(Collect(snapshot).families);
}

// A line of the text format, taken apart; "" where it is none: name, then the value's place.
struct Line {
  std::string name, labels;
  bool sound = false;
};

Line Parse(std::string_view text) {
  Line line;
  size_t at = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  if (at == 0 || at == std::string_view::npos) return line;
  line.name = text.substr(0, at);
  const size_t labels = at;
  if (text[at] == '{') {
    bool quoted = false;
    for (++at; at < text.size() && (quoted || text[at] != '}'); ++at) {
      if (text[at] == '"') quoted = !quoted;
      if (quoted && text[at] == '\\') ++at;
    }
    line.labels = text.substr(labels, ++at - labels);
  }
  line.sound = at < text.size() && text[at] == ' ' &&
               text.find_first_not_of("0123456789+-.eInfNa", at + 1) == std::string_view::npos;
  return line;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Labels of the series of one metric, as in `{job="a",class="b"}`.
std::vector<std::string> SeriesOf(const std::string& text, const std::string& metric) {
  std::vector<std::string> series;
  for (const std::string& line : LinesOf(text)) {
    if (const Line parsed = Parse(line); parsed.name == metric) series.push_back(parsed.labels);
  }
  return series;
}

TEST(Collect, IsTheGoldenText) {
  ExpectFile("tests/unit/monitoring/metrics.txt", TextOf(SomeSnapshot()));
}

TEST(Collect, TellsEveryMetricThatIsDeclared) {
  const std::string text = TextOf(SomeSnapshot());
  for (const Metric* metric : AllMetrics()) {
    EXPECT_THAT(text, HasSubstr("# HELP " + std::string(metric->name) + " ")) << metric->name;
  }
}

TEST(Metrics, FollowTheRulesOfNames) {
  std::set<std::string_view> names;
  for (const Metric* metric : AllMetrics()) {
    const std::string name(metric->name);
    SCOPED_TRACE(name);
    EXPECT_TRUE(names.insert(metric->name).second) << "twice";
    EXPECT_TRUE(std::regex_match(name, std::regex("(ltml|grpc|process)_[a-z][a-z0-9_]*")));
    EXPECT_EQ(name.ends_with("_total"), metric->type == Type::Counter);
    const std::string bare = name.ends_with("_total") ? name.substr(0, name.size() - 6) : name;
    EXPECT_TRUE(metric->unit.empty() || bare.ends_with("_" + std::string(metric->unit)));
    EXPECT_TRUE(metric->help.ends_with('.'));
    for (const std::string_view label : metric->labels) EXPECT_NE(label, "le");
    // A job and at most one more.
    EXPECT_TRUE(metric->labels[0] != "job" || metric->labels[2].empty());
  }
}

std::string Reference() {
  std::string page =
      "# Metrics\n\nThis page is made from `coordinator/monitoring/metrics.h` by "
      "`LTML_UPDATE=1 build/tests/monitoring_test`.\n`GET /metrics` of the server tells them; "
      "docs/monitoring.md says what to do with them.\n\n"
      "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
  constexpr const char* kTypes[] = {"counter", "gauge", "summary", "untyped", "histogram"};
  for (const Metric* metric : AllMetrics()) {
    std::string labels;
    for (const std::string_view label : metric->labels) {
      if (label.empty()) break;
      labels += (labels.empty() ? "`" : ", `") + std::string(label) + "`";
    }
    page += "| `" + std::string(metric->name) + "` | " + kTypes[static_cast<int>(metric->type)] +
            " | " + labels + " | " + std::string(metric->help) + " |\n";
  }
  return page;
}

TEST(Metrics, AreThePageInDocs) { ExpectFile("docs/metrics.md", Reference()); }

TEST(Collect, CountsOfRepeatedStepsAndRestarts) {
  const std::string text = TextOf(SomeSnapshot());
  EXPECT_THAT(text, HasSubstr("ltml_job_samples_total{job=\"b\",stream=\"rebalanced\"} 8000\n"));
  EXPECT_THAT(text, HasSubstr("ltml_job_step{job=\"b\"} 240\n"));
  EXPECT_THAT(text, HasSubstr("ltml_job_restarts_total{job=\"b\",reason=\"rank_lost\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ltml_job_restarts_total{job=\"a\",reason=\"data\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("ltml_job_failures_total{job=\"a\",reason=\"data\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ltml_bad_samples_total{job=\"a\",reason=\"undecodable\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("job=\"a\",stream=\"rebalanced\""))) << "it has no such stream";
  EXPECT_THAT(text,
              HasSubstr("ltml_job_step_duration_seconds_bucket{job=\"b\",le=\"+Inf\"} 250\n"));
}

TEST(Collect, ClassesAreTheRarestAndTheWeakest) {
  Snapshot snapshot = SomeSnapshot();
  snapshot.service.live = {RunningJob("b", 100)};
  snapshot.service.live[0].job.mutable_spec()->mutable_monitoring()->set_top_classes(2);
  auto table = std::make_shared<v1::DatasetInfo>();
  for (int k = 0; k < 100; ++k) {
    table->add_classes()->set_name("c" + std::to_string(k));
    table->mutable_classes(k)->set_images(k == 7 ? 0 : 1000 - k);
  }
  snapshot.classes = {{"jobs/b", table}};
  // Rarest: 99, 98.  Weakest: 98, 97 (of every fourth there is no precision).
  EXPECT_THAT(SeriesOf(TextOf(snapshot), "ltml_class_train_images"),
              ElementsAre("{job=\"b\",class=\"c97\"}", "{job=\"b\",class=\"c98\"}",
                          "{job=\"b\",class=\"c99\"}"));
  EXPECT_THAT(SeriesOf(TextOf(snapshot), "ltml_class_average_precision"),
              ElementsAre("{job=\"b\",class=\"c97\"}", "{job=\"b\",class=\"c98\"}"));
  auto& monitoring = *snapshot.service.live[0].job.mutable_spec()->mutable_monitoring();
  monitoring.set_per_class(v1::Monitoring::PER_CLASS_ALL);
  EXPECT_EQ(SeriesOf(TextOf(snapshot), "ltml_class_train_images").size(), 100u);
}

TEST(Collect, KeepsToTheBudgetAndCountsWhatItLeavesOut) {
  Snapshot snapshot = SomeSnapshot();
  // Six series for each of three classes, five for the one without a precision.
  snapshot.class_series = 12;
  const Collection collection = Collect(snapshot);
  EXPECT_EQ(collection.class_series_dropped, 6);
  const std::string text = prometheus::TextSerializer().Serialize(collection.families);
  EXPECT_EQ(SeriesOf(text, "ltml_class_train_images").size(), 2u);
  EXPECT_THAT(text, HasSubstr("ltml_class_series_dropped_total 11\n")) << "5 of scrapes before";
  snapshot.class_series = 0;
  EXPECT_EQ(Collect(snapshot).class_series_dropped, 18);
}

TEST(Collect, NoNameBreaksTheText) {
  Snapshot snapshot = SomeSnapshot();
  auto table = std::make_shared<v1::DatasetInfo>();
  for (const std::string& name : page::NastyNames()) {
    // Messages hold UTF-8; a name that is none stands here by what it is shown as.
    table->add_classes()->set_name(name.find('\xFF') == std::string::npos ? name : "\\xff");
    table->mutable_classes(table->classes_size() - 1)->set_images(5);
  }
  table->add_classes()->set_name("\x1b[2J\x07");
  table->mutable_classes(table->classes_size() - 1)->set_images(5);
  table->add_classes()->set_name("\\x1b[2J\\x07");
  table->mutable_classes(table->classes_size() - 1)->set_images(5);
  snapshot.classes = {{"jobs/b", table}};
  snapshot.service.live[0].job.mutable_spec()->set_name("x\"} 1\nltml_fake 7\n");
  snapshot.service.hosts[0].set_name("a\nb");
  const std::string text = TextOf(snapshot);
  const auto series = SeriesOf(text, "ltml_class_train_images");
  EXPECT_EQ(series.size(), page::NastyNames().size() + 2);
  EXPECT_EQ(std::set<std::string>(series.begin(), series.end()).size(), series.size())
      << "one series twice";
  EXPECT_THAT(text, Not(HasSubstr("\nltml_fake")));
  for (const std::string& line : LinesOf(text)) {
    EXPECT_TRUE(line.starts_with("# ") || Parse(line).sound) << line;
  }
}

TEST(Collect, AJobWithoutAClassTableHasNoClasses) {
  Snapshot snapshot = SomeSnapshot();
  snapshot.classes["jobs/b"] = nullptr;
  EXPECT_THAT(TextOf(snapshot), Not(HasSubstr("ltml_class_train")));
}

TEST(Collect, AJobThatHasOnlyBegunIsTold) {
  Snapshot snapshot;
  service::LiveJob live;
  live.job.set_name("jobs/new");
  live.job.set_state(v1::JOB_STATE_STARTING);
  snapshot.service.live = {live};
  const std::string text = TextOf(snapshot);
  EXPECT_THAT(text, HasSubstr("ltml_job_state{job=\"new\",state=\"starting\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("ltml_job_state{job=\"new\",state=\"running\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("ltml_job_loss{")));
  EXPECT_THAT(text, Not(HasSubstr("ltml_job_checkpoint_last")));
}

}  // namespace
}  // namespace ltml::monitoring
