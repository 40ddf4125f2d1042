#include "coordinator/monitoring/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/base/visible.h"
#include "common/page/document.h"
#include "common/run/folder.h"
#include "common/run/run_file.h"
#include "common/view/run_page.h"
#include "common/view/words.h"
#include "coordinator/jobs/names.h"
#include "coordinator/monitoring/home_page.h"
#include "coordinator/monitoring/live_script.h"

namespace ltml::monitoring {
namespace {

using page::Element;
using page::Html;

constexpr char kHtml[] = "text/html; charset=utf-8";
constexpr char kScript[] = "/live.js";
constexpr int kRefreshSeconds = 5;
// More than capped logs hold.
constexpr int64_t kLogBytes = 1 << 20;
constexpr int kJobsAPage = 50;

HttpResponse Page(int status, std::string title, const Html& main, bool live) {
  page::Document document;
  document.title = std::move(title) + " - ltml";
  const auto now = base::ToTimestamp(std::chrono::system_clock::now());
  document.header = page::Link("/", Html::Text("ltml")) +
                    Element("span", {{"class", "status"}, {"id", "status"}}, view::UtcText(now));
  document.main = main;
  if (live) {
    document.script = kScript;
    document.refresh_seconds = kRefreshSeconds;
  }
  return {.status = status, .content_type = kHtml, .body = page::Render(document)};
}

HttpResponse Fault(int status, std::string_view text) {
  return Page(status, "not here",
              Element("h1", {}, status == 404 ? "Not here" : "This did not work") +
                  Element("p", {}, text) +
                  Element("p", {}, page::Link("/", Html::Text("All jobs"))),
              false);
}

HttpResponse Fault(const absl::Status& status) {
  const std::string text(status.message());
  if (absl::IsNotFound(status)) return Fault(404, text);
  return Fault(absl::IsInvalidArgument(status) ? 400 : 500, text);
}

std::string Parameter(const HttpRequest& request, const char* name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

bool HasEnded(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

// "clipart, running, 43 %".
std::string TitleOf(const v1::Job& job) {
  const int64_t steps = std::max<int64_t>(job.spec().schedule().steps(), 1);
  return fmt::format("{}, {}, {} %", job.spec().name(), view::StateText(job),
                     100 * job.step() / steps);
}

absl::StatusOr<std::string> LogText(const v1::Job& job, int rank) {
  const std::filesystem::path file = run::LogFile(job.attempt_epoch(), rank);
  LTML_ASSIGN_OR_RETURN(const run::RunFile log, run::RunFile::Open(job.run_folder(), file));
  LTML_ASSIGN_OR_RETURN(const int64_t size, log.Size());
  const int64_t begin = std::max<int64_t>(size - kLogBytes, 0);
  LTML_ASSIGN_OR_RETURN(const std::string text, log.Read(begin, size - begin));
  return base::VisibleLines(text);
}

}  // namespace

HttpResponse Site::Answer(const HttpRequest& request) const {
  if (request.path == "/healthz") return {.body = "ok\n"};
  if (request.path == "/readyz") {
    return options_.ready() ? HttpResponse{.body = "ready\n"}
                            : HttpResponse{.status = 503, .body = "not ready\n"};
  }
  const auto refusal = options_.gate->Refuse(request);
  return refusal ? *refusal : Guarded(request);
}

HttpResponse Site::Guarded(const HttpRequest& request) const {
  if (request.path == "/") return Home(request);
  if (request.path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = options_.scrape->Text()};
  }
  if (request.path == kScript) {
    return {.content_type = "text/javascript; charset=utf-8", .body = std::string(LiveScript())};
  }
  constexpr std::string_view kJobs = "/jobs/", kLogs = "/logs/";
  if (request.path.starts_with(kJobs)) {
    const std::string rest = request.path.substr(kJobs.size());
    const size_t logs = rest.find(kLogs);
    const std::string id = rest.substr(0, logs);
    if (jobs::IsJobName("jobs/" + id)) {
      return logs == std::string::npos ? Job(id, request)
                                       : Log(id, rest.substr(logs + kLogs.size()));
    }
  }
  return Fault(404, fmt::format("There is no page {}.", request.path));
}

HttpResponse Site::Home(const HttpRequest& request) const {
  v1::ListJobsRequest query;
  query.set_page_size(kJobsAPage);
  query.set_page_token(Parameter(request, "page"));
  const auto page = options_.manager->List(query);
  if (!page.ok()) return Fault(page.status());
  return Page(200, "Jobs",
              HomePage({.seen = options_.manager->Observe(),
                        .jobs = page->jobs,
                        .first_page = query.page_token().empty(),
                        .next_page = page->next_page_token}),
              true);
}

HttpResponse Site::Job(const std::string& id, const HttpRequest& request) const {
  const auto view = options_.views->Of("jobs/" + id);
  if (!view.ok()) return Fault(view.status());
  const auto order = view::ParseClassOrder(Parameter(request, "classes"));
  return Page(200, TitleOf(view->job()),
              view::RunPage(*view, {.order = order.value_or(view::ClassOrder::kRarest),
                                    .address = "/jobs/" + page::UrlPart(id)}),
              !HasEnded(view->job().state()));
}

HttpResponse Site::Log(const std::string& id, const std::string& rank) const {
  int number = 0;
  if (!absl::SimpleAtoi(rank, &number) || number < run::kMpirun) {
    return Fault(404, fmt::format("There is no rank {}.", rank));
  }
  const auto job = options_.manager->Get("jobs/" + id);
  if (!job.ok()) return Fault(job.status());
  const auto text = LogText(*job, number);
  if (!text.ok()) return Fault(text.status());
  return {.body = *text};
}

}  // namespace ltml::monitoring
