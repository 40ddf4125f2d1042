#include "cli/run_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/report_text.h"
#include "cli/table.h"
#include "common/view/findings.h"
#include "common/view/words.h"

namespace ltml::cli {
namespace {

using Align = Table::Align;

constexpr size_t kMostClasses = 40;
constexpr int kBarWidth = 12;

// The report, and while there is none the newest validation.
std::string ResultText(const v1::RunView& view, bool colour) {
  if (view.has_report()) return ReportText(view.report(), colour);
  const v1::Job& job = view.job();
  if (job.evaluations().empty()) return "Not evaluated yet.\n";
  v1::Report report;
  const v1::EvaluationPoint& newest = *job.evaluations().rbegin();
  *report.mutable_mean_average_precision() = newest.mean_average_precision();
  for (const v1::ClassView& one : view.classes()) {
    v1::ClassReport& row = *report.add_classes();
    row.set_group(one.group());
    if (const auto precision = view::Precision(one)) row.set_average_precision(*precision);
  }
  return fmt::format("Validation at step {}:\n\n{}", newest.step(), MeansTable(report, colour));
}

std::string StandText(const v1::Job& job) {
  const std::string state =
      job.state() == v1::JOB_STATE_UNSPECIFIED ? "not finished" : view::StateText(job);
  return fmt::format("{} ({}): {}, step {} of {}\n", job.spec().name(), view::IdOf(job), state,
                     job.step(), job.spec().schedule().steps());
}

std::string Percent(std::optional<double> share) {
  return share ? fmt::format("{:.1f}", 100 * *share) : "-";
}

std::string Change(const v1::ClassView& one) {
  const auto change = view::PrecisionChange(one);
  return change ? fmt::format("{:+.1f}", 100 * *change) : "";
}

std::string ClassTable(const v1::RunView& view, bool colour) {
  const auto weakest = view::Weakest(view, kMostClasses);
  if (weakest.empty()) return "";
  double largest = 0;
  for (const v1::ClassView* one : weakest) {
    largest = std::max(largest, static_cast<double>(one->train_positives()));
  }
  Table table({{"class"},
               {"group"},
               {"images", Align::kRight},
               {""},
               {"uniform", Align::kRight},
               {"re-balanced", Align::kRight},
               {"AP %", Align::kRight},
               {""},
               {"change", Align::kRight}});
  for (const v1::ClassView* one : weakest) {
    table.AddRow(
        {one->name(), one->group(), GroupedNumber(one->train_positives()),
         Bar(static_cast<double>(one->train_positives()), largest, kBarWidth),
         one->has_uniform_positives() ? GroupedNumber(one->uniform_positives()) : "-",
         one->has_rebalanced_positives() ? GroupedNumber(one->rebalanced_positives()) : "-",
         Percent(view::Precision(*one)), Bar(*view::Precision(*one), 1, kBarWidth), Change(*one)});
  }
  std::string text = fmt::format(
      "Classes at the validation of step {}, the weakest first; how often each stream has shown "
      "them:\n\n{}",
      *view.validation_steps().rbegin(), table.Render(colour));
  const auto others = view.classes_size() - std::ssize(weakest);
  if (others > 0) text += fmt::format("... and {} more: --html FILE shows them all\n", others);
  return text + "\n";
}

std::string RankTable(const v1::Job& job, bool colour) {
  const std::vector<v1::RankStatus> ranks(job.ranks().begin(), job.ranks().end());
  if (ranks.size() < 2) return "";
  double longest = 0;
  for (const v1::RankStatus& rank : ranks) {
    longest = std::max(longest, view::StepTimeOf(rank).total());
  }
  if (!(longest > 0)) return "";
  const auto straggler = view::FindStraggler(ranks);
  Table table({{"rank", Align::kRight},
               {"host"},
               {"ms a step", Align::kRight},
               {"compute", Align::kRight},
               {"images", Align::kRight},
               {"sums", Align::kRight},
               {"grant", Align::kRight},
               {"work"}});
  const auto milliseconds = [](double seconds) { return fmt::format("{:.1f}", 1000 * seconds); };
  for (const v1::RankStatus& rank : ranks) {
    const view::StepTime time = view::StepTimeOf(rank);
    const bool slowest = straggler && straggler->rank == rank.rank();
    table.AddRow({fmt::format("{}", rank.rank()), rank.host(), milliseconds(time.total()),
                  milliseconds(time.compute), milliseconds(time.data_wait),
                  milliseconds(time.collective_wait), milliseconds(time.grant_wait),
                  Bar(time.work(), longest, kBarWidth) + (slowest ? " the others wait" : "")});
  }
  return "Where the time of a step goes:\n\n" + table.Render(colour) + "\n";
}

std::string FailedAttempts(const v1::Job& job) {
  std::string text;
  for (const v1::Attempt& attempt : job.attempts()) {
    if (!attempt.has_failure()) continue;
    text += fmt::format("attempt {}: {}\n", attempt.epoch(), FailureText(attempt.failure()));
  }
  return text;
}

}  // namespace

std::string RunText(const v1::RunView& view, bool colour) {
  return StandText(view.job()) + FailedAttempts(view.job()) + "\n" + ClassTable(view, colour) +
         RankTable(view.job(), colour) + ResultText(view, colour);
}

}  // namespace ltml::cli
