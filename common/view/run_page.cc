#include "common/view/run_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/proto_time.h"
#include "common/base/text.h"
#include "common/view/findings.h"
#include "common/view/sections.h"
#include "common/view/words.h"

namespace ltml::view {
namespace {

using page::Element;
using page::Html;

std::string_view ColourOf(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
      return "badge good";
    case v1::JOB_STATE_FAILED:
      return "badge bad";
    case v1::JOB_STATE_RECOVERING:
    case v1::JOB_STATE_STOPPING:
    case v1::JOB_STATE_PREEMPTED:
      return "badge warn";
    default:
      return "badge";
  }
}

Html Fact(std::string_view name, std::string_view value) {
  if (value.empty()) return Html();
  return Element("li", {}, Html::Text(name) + Html::Literal(" ") + Element("b", {}, value));
}

Html Facts(const v1::RunView& view) {
  const v1::Job& job = view.job();
  const auto now = base::FromTimestamp(view.time());
  Html facts = Fact("Owner", job.owner());
  if (job.has_submit_time()) facts += Fact("submitted", UtcText(job.submit_time()));
  facts += Fact("ranks", fmt::format("{}", job.spec().resources().ranks()));
  if (job.attempt_epoch() > 0) facts += Fact("attempt", fmt::format("{}", job.attempt_epoch()));
  if (job.has_checkpoint_time()) {
    facts += Fact("checkpoint of step", fmt::format("{}, {} ago", job.checkpoint_step(),
                                                    AgeText(job.checkpoint_time(), now)));
  }
  facts += Fact("classes", view.classes().empty() ? "" : fmt::format("{}", view.classes_size()));
  if (view.train_images() > 0) {
    facts += Fact("training images", base::GroupedNumber(view.train_images()));
  }
  return Element("ul", {{"class", "facts"}}, facts + Fact("folder", job.run_folder()));
}

Html Card(std::string_view label, std::string_view value, const Html& note) {
  return Element("li", {},
                 Element("div", {{"class", "label"}}, label) +
                     Element("div", {{"class", "value"}}, value) +
                     Element("div", {{"class", "change"}}, note));
}

Html PrecisionCards(const v1::Job& job) {
  if (job.evaluations().empty()) return Html();
  const int last = job.evaluations_size() - 1;
  const v1::MeanAveragePrecision& now = job.evaluations(last).mean_average_precision();
  Html cards;
  for (const ClassGroup& group : kClassGroups) {
    if (!(now.*group.has)()) continue;
    std::optional<double> change;
    if (last > 0) {
      const auto& before = job.evaluations(last - 1).mean_average_precision();
      if ((before.*group.has)()) change = (now.*group.get)() - (before.*group.get)();
    }
    cards += Card(fmt::format("mAP, {}", group.name), PercentText((now.*group.get)()) + " %",
                  ChangeOf(change));
  }
  return cards;
}

std::string StragglerText(const v1::RankStatus& rank, const Straggler& straggler) {
  return fmt::format("{:.1f} times the others' work{}", straggler.times_others,
                     rank.host().empty() ? "" : ", on " + rank.host());
}

Html Cards(const v1::RunView& view) {
  const v1::Job& job = view.job();
  Html cards = PrecisionCards(job);
  if (job.has_metrics()) {
    const v1::StepMetrics& metrics = job.metrics();
    cards += Card("Loss", fmt::format("{:.4g}", metrics.loss()),
                  Html::Text(fmt::format("learning rate {:.3g}", metrics.learning_rate())));
    cards += Card("Images a second", base::GroupedNumber(std::llround(metrics.images_per_second())),
                  Html::Text("of both streams"));
  }
  if (const auto left = SecondsLeft(job)) {
    cards += Card("Time left", base::TimeText(*left), Html::Text("at this rate"));
  }
  const std::vector<v1::RankStatus> ranks(job.ranks().begin(), job.ranks().end());
  if (const auto straggler = FindStraggler(ranks)) {
    cards += Card("Slowest", fmt::format("rank {}", straggler->rank),
                  Html::Text(StragglerText(job.ranks(straggler->rank), *straggler)));
  }
  return cards.empty() ? cards : Element("ul", {{"class", "cards"}}, cards);
}

Html Failed(const v1::Job& job) {
  if (!job.has_failure() || job.state() == v1::JOB_STATE_SUCCEEDED) return Html();
  return Element(
      "p", {{"class", "bad"}},
      fmt::format("{}: {}",
                  job.state() == v1::JOB_STATE_FAILED ? "Failed" : "The last attempt failed",
                  FailureText(job.failure())));
}

}  // namespace

Html StateBadge(const v1::Job& job) {
  const std::string text =
      job.state() == v1::JOB_STATE_UNSPECIFIED ? "not finished" : StateText(job);
  return Element("span", {{"class", std::string(ColourOf(job.state()))}}, text);
}

Html ProgressBar(const v1::Job& job) {
  const int64_t steps = std::max<int64_t>(job.spec().schedule().steps(), 1);
  const int64_t step = std::clamp<int64_t>(job.step(), 0, steps);
  return Element("progress",
                 {{"max", fmt::format("{}", steps)},
                  {"value", fmt::format("{}", step)},
                  {"aria-label", fmt::format("step {} of {}", step, steps)}},
                 fmt::format("{} %", 100 * step / steps));
}

Html RunPage(const v1::RunView& view, const RunPageOptions& options) {
  const v1::Job& job = view.job();
  Html title = Element("h1", {}, page::Name(job.spec().name()));
  Html status = StateBadge(job) +
                Html::Text(fmt::format(
                    " step {} of {} ({} %)", base::GroupedNumber(job.step()),
                    base::GroupedNumber(job.spec().schedule().steps()),
                    100 * job.step() / std::max<int64_t>(job.spec().schedule().steps(), 1)));
  if (!job.wait_reason().empty()) status += Html::Text(" - " + job.wait_reason());
  const Html fault =
      view.fault().empty()
          ? Html()
          : Element("p", {{"class", "bad"}}, "The run folder cannot be read: " + view.fault());
  Html top = title + Element("p", {{"class", "muted"}}, IdOf(job)) + Element("p", {}, status) +
             ProgressBar(job) + fault + Failed(job) + Facts(view) + Cards(view);
  return Element("section", {{"id", "top"}}, top) + WeakestSection(view) + CurvesSection(view) +
         LongTailSection(view) + RanksSection(view) + ClassesSection(view, options) +
         AttemptsSection(view) + LogsSection(view, options);
}

}  // namespace ltml::view
