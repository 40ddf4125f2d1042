#pragma once

#include <optional>
#include <string>

#include "common/page/chart.h"
#include "common/page/html.h"
#include "common/view/run_page.h"
#include "ltml/v1/job_service.pb.h"

namespace ltml::view {

// Where the means of a group of classes stand.
struct ClassGroup {
  const char* name;
  page::Ink ink;
  bool (v1::MeanAveragePrecision::*has)() const;
  double (v1::MeanAveragePrecision::*get)() const;
};
inline constexpr ClassGroup kClassGroups[] = {
    {"all classes", page::Ink::kTotal, &v1::MeanAveragePrecision::has_total,
     &v1::MeanAveragePrecision::total},
    {"head", page::Ink::kHead, &v1::MeanAveragePrecision::has_head,
     &v1::MeanAveragePrecision::head},
    {"medium", page::Ink::kMedium, &v1::MeanAveragePrecision::has_medium,
     &v1::MeanAveragePrecision::medium},
    {"tail", page::Ink::kTail, &v1::MeanAveragePrecision::has_tail,
     &v1::MeanAveragePrecision::tail}};

// The parts of RunPage.  Empty where there is nothing to show.

// Loss over steps, and mean average precision of the groups over validations.
page::Html CurvesSection(const v1::RunView& view);
page::Html WeakestSection(const v1::RunView& view);
page::Html LongTailSection(const v1::RunView& view);
page::Html ClassesSection(const v1::RunView& view, const RunPageOptions& options);
// Where the time of each rank goes.
page::Html RanksSection(const v1::RunView& view);
page::Html AttemptsSection(const v1::RunView& view);
page::Html LogsSection(const v1::RunView& view, const RunPageOptions& options);

// "43.2", "-" without one.
std::string PercentText(std::optional<double> share);
// "+1.2", with a word and a colour for its direction; empty without one.
page::Html ChangeOf(std::optional<double> change);

}  // namespace ltml::view
