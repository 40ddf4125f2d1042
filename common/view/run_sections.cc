#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <vector>

#include "common/base/proto_time.h"
#include "common/page/chart.h"
#include "common/page/table.h"
#include "common/view/findings.h"
#include "common/view/sections.h"
#include "common/view/words.h"

namespace ltml::view {
namespace {

using page::Element;
using page::Html;
using page::Ink;
using page::Line;

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

Line LossLine(const v1::RunView& view, const char* name, Ink ink,
              double (v1::StepMetrics::*get)() const) {
  Line line{.name = name, .ink = ink, .points = {}};
  bool any = false;
  for (const v1::StepMetrics& step : view.steps()) {
    const double value = (step.*get)();
    any = any || value != 0;
    line.points.push_back({static_cast<double>(step.step()), value});
  }
  // A job with one branch has no part of the other one.
  if (!any) line.points.clear();
  return line;
}

page::LineChart LossChart(const v1::RunView& view) {
  page::LineChart chart;
  chart.text = {.id = "loss", .title = "Loss, mean over the global batch", .summary = ""};
  if (!view.steps().empty()) {
    const v1::StepMetrics &first = *view.steps().begin(), &last = *view.steps().rbegin();
    chart.text.summary = fmt::format("The loss went from {:.4g} at step {} to {:.4g} at step {}.",
                                     first.loss(), first.step(), last.loss(), last.step());
  }
  chart.x_title = "step";
  chart.low = 0;
  using Metrics = v1::StepMetrics;
  for (Line line :
       {LossLine(view, "total", Ink::kTotal, &Metrics::loss),
        LossLine(view, "uniform", Ink::kUniform, &Metrics::classification_uniform),
        LossLine(view, "re-balanced", Ink::kRebalanced, &Metrics::classification_rebalanced),
        LossLine(view, "consistency", Ink::kMuted, &Metrics::consistency)}) {
    if (!line.points.empty()) chart.lines.push_back(std::move(line));
  }
  return chart;
}

using Means = v1::MeanAveragePrecision;

page::LineChart PrecisionChart(const v1::Job& job) {
  page::LineChart chart;
  chart.text = {.id = "precision", .title = "Mean average precision, %", .summary = ""};
  chart.x_title = "step";
  chart.marks = true;
  chart.low = 0;
  for (const ClassGroup& group : kClassGroups) {
    Line line{.name = group.name, .ink = group.ink, .points = {}};
    bool any = false;
    for (const v1::EvaluationPoint& point : job.evaluations()) {
      const Means& means = point.mean_average_precision();
      const bool has = (means.*group.has)();
      any = any || has;
      line.points.push_back(
          {static_cast<double>(point.step()), has ? 100 * (means.*group.get)() : kNothing});
    }
    if (!any) continue;
    chart.text.summary += fmt::format("{}: {:.1f} at first, {:.1f} now. ", group.name,
                                      line.points.front().y, line.points.back().y);
    chart.lines.push_back(std::move(line));
  }
  return chart;
}

page::BarChart RankChart(const std::vector<v1::RankStatus>& ranks,
                         const std::optional<Straggler>& straggler) {
  page::BarChart chart;
  chart.text = {.id = "rank-times",
                .title = "Seconds of a step, by rank",
                .summary = "The table below has the numbers."};
  chart.unit = "seconds";
  chart.parts = {{"compute", Ink::kUniform},
                 {"wait for images", Ink::kRebalanced},
                 {"wait for the sums of all ranks", Ink::kWait},
                 {"wait for a grant", Ink::kTail}};
  for (const v1::RankStatus& rank : ranks) {
    const StepTime time = StepTimeOf(rank);
    const bool slowest = straggler && straggler->rank == rank.rank();
    chart.bars.push_back(
        {.name = fmt::format("rank {}", rank.rank()),
         .note = slowest ? "the others wait for it" : "",
         .values = {time.compute, time.data_wait, time.collective_wait, time.grant_wait}});
  }
  return chart;
}

Html RankTable(const v1::RunView& view, const std::vector<v1::RankStatus>& ranks) {
  page::Table table("ranks-table", "Milliseconds of a step, by rank",
                    {{Html::Text("Rank"), true},
                     {Html::Text("Host")},
                     {Html::Text("Step"), true},
                     {Html::Text("Compute"), true},
                     {Html::Text("Images"), true},
                     {Html::Text("Sums"), true},
                     {Html::Text("Grant"), true},
                     {Html::Text("Heard"), true}});
  const auto milliseconds = [](double seconds) {
    return Html::Text(fmt::format("{:.1f}", 1000 * seconds));
  };
  for (const v1::RankStatus& rank : ranks) {
    const StepTime time = StepTimeOf(rank);
    table.AddRow(
        {Html::Text(fmt::format("{}", rank.rank())), page::Name(rank.host()),
         Html::Text(fmt::format("{}", rank.step())), milliseconds(time.compute),
         milliseconds(time.data_wait), milliseconds(time.collective_wait),
         milliseconds(time.grant_wait),
         Html::Text(rank.has_last_message_time()
                        ? AgeText(rank.last_message_time(), base::FromTimestamp(view.time())) +
                              " ago"
                        : "never")});
  }
  return table.Render();
}

std::string EndText(const v1::Attempt& attempt) {
  if (attempt.has_failure()) return FailureText(attempt.failure());
  return attempt.has_end_time() ? "ended as it should" : "";
}

std::string TimeOf(bool has, const google::protobuf::Timestamp& time) {
  return has ? UtcText(time) : "";
}

}  // namespace

Html CurvesSection(const v1::RunView& view) {
  return Element("section", {{"id", "curves"}},
                 Element("h2", {}, "Learning") +
                     Element("div", {{"class", "pair"}},
                             page::Draw(LossChart(view)) + page::Draw(PrecisionChart(view.job()))));
}

Html RanksSection(const v1::RunView& view) {
  const std::vector<v1::RankStatus> ranks(view.job().ranks().begin(), view.job().ranks().end());
  if (ranks.empty()) return Html();
  const std::optional<Straggler> straggler = FindStraggler(ranks);
  Html content = Element("h2", {}, "Where the time goes");
  if (straggler) {
    content +=
        Element("p", {{"class", "warn"}},
                fmt::format("Rank {} works {:.1f} times as long as the others, which wait for it.",
                            straggler->rank, straggler->times_others));
  }
  return Element("section", {{"id", "ranks"}},
                 content + page::Draw(RankChart(ranks, straggler)) + RankTable(view, ranks));
}

Html AttemptsSection(const v1::RunView& view) {
  if (view.job().attempts().empty()) return Html();
  page::Table table("attempts-table", "Attempts",
                    {{Html::Text("Attempt"), true},
                     {Html::Text("Hosts")},
                     {Html::Text("Started")},
                     {Html::Text("Ended")},
                     {Html::Text("Steps"), true},
                     {Html::Text("Outcome")}});
  for (const v1::Attempt& attempt : view.job().attempts()) {
    table.AddRow(
        {Html::Text(fmt::format("{}", attempt.epoch())),
         Html::Text(PlacementText(attempt.placements())),
         Html::Text(TimeOf(attempt.has_start_time(), attempt.start_time())),
         Html::Text(TimeOf(attempt.has_end_time(), attempt.end_time())),
         Html::Text(attempt.has_end_time()
                        ? fmt::format("{} to {}", attempt.first_step(), attempt.last_step())
                        : fmt::format("from {}", attempt.first_step())),
         Element("span", {{"class", attempt.has_failure() ? "bad" : ""}}, EndText(attempt))});
  }
  return Element("section", {{"id", "attempts"}}, Element("h2", {}, "Attempts") + table.Render());
}

Html LogsSection(const v1::RunView& view, const RunPageOptions& options) {
  if (view.logs().empty()) return Html();
  Html logs;
  for (const v1::LogTail& log : view.logs()) {
    const std::string name = log.rank() < 0 ? "mpirun" : fmt::format("rank {}", log.rank());
    Html title = Html::Text(fmt::format("{}, attempt {}", name, log.attempt_epoch()));
    Html whole;
    if (!options.address.empty()) {
      whole = Element("p", {},
                      page::Link(fmt::format("{}/logs/{}", options.address, log.rank()),
                                 Html::Text("the whole log")));
    }
    logs += Element(
        "details", {{"id", fmt::format("log-{}", log.rank())}, {log.rank() == 0 ? "open" : "", ""}},
        Element("summary", {}, title) +
            Element("pre", {{"tabindex", "0"}}, Html::Lines(log.text())) + whole);
  }
  return Element("section", {{"id", "logs"}}, Element("h2", {}, "Logs") + logs);
}

}  // namespace ltml::view
