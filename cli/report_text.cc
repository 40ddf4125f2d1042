#include "cli/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "cli/progress_line.h"
#include "cli/table.h"

namespace ltml::cli {
namespace {

constexpr size_t kWeakest = 5;

std::string Percent(std::optional<double> share) {
  return share ? fmt::format("{:.2f}", 100 * *share) : "-";
}

// total, head, medium, tail.
std::array<std::optional<double>, 4> Parts(const v1::MeanAveragePrecision& means) {
  std::array<std::optional<double>, 4> parts;
  if (means.has_total()) parts[0] = means.total();
  if (means.has_head()) parts[1] = means.head();
  if (means.has_medium()) parts[2] = means.medium();
  if (means.has_tail()) parts[3] = means.tail();
  return parts;
}

std::vector<std::string> MeansRow(std::string title, const v1::MeanAveragePrecision& means) {
  std::vector<std::string> row = {std::move(title)};
  for (const auto& part : Parts(means)) row.push_back(Percent(part));
  return row;
}

// Classes of each group that have an average precision, which is what the means are over.
std::vector<std::string> CountsRow(const v1::Report& report) {
  std::array<int, 4> counts{};
  constexpr std::array<std::string_view, 4> kGroups = {"", "head", "medium", "tail"};
  for (const v1::ClassReport& row : report.classes()) {
    if (!row.has_average_precision()) continue;
    ++counts[0];
    for (size_t g = 1; g < kGroups.size(); ++g) counts[g] += row.group() == kGroups[g];
  }
  std::vector<std::string> row = {"classes"};
  for (const int count : counts) row.push_back(fmt::format("{}", count));
  return row;
}

std::string WeakestTable(const v1::Report& report, bool colour) {
  std::vector<const v1::ClassReport*> rows;
  for (const v1::ClassReport& row : report.classes()) {
    if (row.has_average_precision()) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) {
    return a->average_precision() < b->average_precision();
  });
  rows.resize(std::min(rows.size(), kWeakest));
  Table table({{"weakest classes", Table::Align::kLeft},
               {"group", Table::Align::kLeft},
               {"training images", Table::Align::kRight},
               {"AP %", Table::Align::kRight}});
  for (const v1::ClassReport* row : rows) {
    table.AddRow({row->name(), row->group(), GroupedNumber(row->train_positives()),
                  Percent(row->average_precision())});
  }
  return table.Render(colour);
}

std::string Title(const v1::Report& report) {
  std::string title =
      fmt::format("{}: {}, {} images, checkpoint of step {}", report.job(), report.evaluated_on(),
                  GroupedNumber(report.images()), report.evaluated_step());
  if (!report.evaluated_checkpoint().empty()) {
    title += fmt::format(" ({})", report.evaluated_checkpoint());
  }
  return title + "\n\n";
}

// A run has a folder; an evaluation by itself took no steps.
std::string SpeedLine(const v1::Report& report) {
  const std::string work =
      report.run_folder().empty() ? "evaluated" : fmt::format("{} steps", report.steps());
  const std::string time = report.seconds() < 60 ? fmt::format("{:.1f} s", report.seconds())
                                                 : TimeText(report.seconds());
  return fmt::format("{} on {} {}, {:.1f} images/s, {}\n", work, report.world_size(),
                     report.world_size() == 1 ? "rank" : "ranks", report.images_per_second(), time);
}

}  // namespace

std::string MeansTable(const v1::Report& report, bool colour) {
  using Align = Table::Align;
  Table table({{"", Align::kLeft},
               {"total", Align::kRight},
               {"head", Align::kRight},
               {"medium", Align::kRight},
               {"tail", Align::kRight}});
  table.AddRow(MeansRow("mAP %", report.mean_average_precision()));
  if (report.has_chance()) table.AddRow(MeansRow("chance %", report.chance()));
  table.AddRow(CountsRow(report));
  return table.Render(colour);
}

std::string ReportText(const v1::Report& report, bool colour) {
  std::string text;
  if (report.classes().empty()) {
    text = fmt::format("{}: not evaluated, because the job names no data.test or data.validation\n",
                       report.job());
  } else {
    text = Title(report) + MeansTable(report, colour) + "\n" + WeakestTable(report, colour) + "\n";
  }
  text += SpeedLine(report);
  if (!report.run_folder().empty()) text += fmt::format("run: {}\n", report.run_folder());
  return text;
}

std::string MeansText(const v1::MeanAveragePrecision& means) {
  const auto parts = Parts(means);
  return fmt::format("{} total, {} head, {} medium, {} tail", Percent(parts[0]), Percent(parts[1]),
                     Percent(parts[2]), Percent(parts[3]));
}

}  // namespace ltml::cli
