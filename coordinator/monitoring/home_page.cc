#include "coordinator/monitoring/home_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/base/text.h"
#include "common/page/table.h"
#include "common/view/findings.h"
#include "common/view/run_page.h"
#include "common/view/words.h"

namespace ltml::monitoring {
namespace {

using page::Element;
using page::Html;

Html JobLink(const v1::Job& job) {
  return page::Link("/jobs/" + page::UrlPart(view::IdOf(job)), page::Name(job.spec().name())) +
         Element("div", {{"class", "id"}}, view::IdOf(job));
}

Html Steps(const v1::Job& job) {
  return view::ProgressBar(job) +
         Html::Text(fmt::format(" {} of {}", base::GroupedNumber(job.step()),
                                base::GroupedNumber(job.spec().schedule().steps())));
}

Html Percent(bool has, double share) {
  return Html::Text(has ? fmt::format("{:.1f}", 100 * share) : "-");
}

std::vector<Html> LiveCells(const v1::Job& job) {
  v1::MeanAveragePrecision means;
  if (!job.evaluations().empty()) means = job.evaluations().rbegin()->mean_average_precision();
  const auto left = view::SecondsLeft(job);
  const bool learns = job.has_metrics();
  return {JobLink(job),
          view::StateBadge(job),
          Steps(job),
          Html::Text(learns ? base::GroupedNumber(std::llround(job.metrics().images_per_second()))
                            : "-"),
          Html::Text(left ? base::TimeText(*left) : "-"),
          Html::Text(learns ? fmt::format("{:.4g}", job.metrics().loss()) : "-"),
          Percent(means.has_total(), means.total()),
          Percent(means.has_tail(), means.tail()),
          page::Name(job.owner())};
}

Html Running(const service::Observation& seen) {
  page::Table table("running-table", "Jobs that have begun and not ended",
                    {{Html::Text("Job")},
                     {Html::Text("State")},
                     {Html::Text("Steps")},
                     {Html::Text("Images a second"), true},
                     {Html::Text("Time left"), true},
                     {Html::Text("Loss"), true},
                     {Html::Text("mAP %"), true},
                     {Html::Text("mAP %, tail"), true},
                     {Html::Text("Owner")}});
  for (const service::LiveJob& live : seen.live) {
    if (!live.job.has_end_time()) table.AddRow(LiveCells(live.job));
  }
  return Element("section", {{"id", "running"}},
                 Element("h1", {}, "Jobs") +
                     (table.empty() ? Element("p", {{"class", "nothing"}}, "No job has begun.")
                                    : table.Render()));
}

std::string HostState(const v1::Host& host) {
  switch (host.state()) {
    case v1::Host::STATE_READY:
      return "ready";
    case v1::Host::STATE_DRAINING:
      return "draining";
    case v1::Host::STATE_DRAINED:
      return "drained";
    default:
      return "cools down after a loss";
  }
}

Html Hosts(const service::Observation& seen) {
  page::Table table(
      "hosts-table", "Hosts",
      {{Html::Text("Host")}, {Html::Text("State")}, {Html::Text("Slots used"), true}});
  for (const v1::Host& host : seen.hosts) {
    table.AddRow({page::Name(host.name()), Html::Text(HostState(host)),
                  Html::Text(fmt::format("{} of {}", host.used_slots(), host.slots()))});
  }
  return Element("section", {{"id", "hosts"}}, Element("h2", {}, "Pool") + table.Render());
}

Html AllJobs(const HomeView& view) {
  page::Table table("jobs-table", "Newest first",
                    {{Html::Text("Job")},
                     {Html::Text("State")},
                     {Html::Text("Steps")},
                     {Html::Text("Submitted")},
                     {Html::Text("Owner")}});
  for (const v1::Job& job : view.jobs) {
    table.AddRow({JobLink(job), view::StateBadge(job), Steps(job),
                  Html::Text(view::UtcText(job.submit_time())), page::Name(job.owner())});
  }
  Html pages;
  if (!view.first_page) pages += page::Link("/#jobs", Html::Text("Newest"));
  if (!view.next_page.empty()) {
    pages += Html::Literal(" ") +
             page::Link("/?page=" + page::UrlPart(view.next_page) + "#jobs", Html::Text("Older"));
  }
  return Element("section", {{"id", "jobs"}},
                 Element("h2", {}, "All jobs") +
                     (table.empty() ? Element("p", {{"class", "nothing"}},
                                              "There is none; `ltml submit` makes one.")
                                    : table.Render()) +
                     Element("nav", {{"aria-label", "Pages of the list"}}, pages));
}

}  // namespace

Html HomePage(const HomeView& view) {
  return Running(view.seen) + Hosts(view.seen) + AllJobs(view);
}

}  // namespace ltml::monitoring
