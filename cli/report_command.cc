#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "cli/connection.h"
#include "cli/context.h"
#include "cli/run_text.h"
#include "common/base/files.h"
#include "common/base/status_macros.h"
#include "common/page/document.h"
#include "common/view/run_page.h"
#include "common/view/run_reader.h"

namespace ltml::cli {
namespace {

struct ReportArguments : ServerOptions {
  std::string source;
  std::string html;
};

bool IsFolder(const std::string& source) {
  std::error_code error;
  return std::filesystem::is_directory(source, error);
}

// A folder is a run here; anything else a job of the server.
absl::StatusOr<v1::RunView> Find(const ReportArguments& arguments) {
  if (IsFolder(arguments.source)) {
    // A name at its end, also where the path ends in '/' or is ".".
    const auto folder = std::filesystem::weakly_canonical(arguments.source);
    return view::RunReader(folder).Read();
  }
  v1::GetViewRequest request;
  request.set_name(JobName(arguments.source));
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  return connection->Call(&v1::JobService::Stub::GetView, request);
}

absl::Status WritePage(const v1::RunView& view, const std::string& file) {
  page::Document document;
  document.title = view.job().spec().name();
  document.main = view::RunPage(view, {});
  return base::WriteFileAtomically(file, page::Render(document));
}

absl::Status Report(const ReportArguments& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(const v1::RunView view, Find(arguments));
  if (!arguments.html.empty()) return WritePage(view, arguments.html);
  if (!context.json()) return PrintText(RunText(view, context.colour));
  if (view.has_report()) return PrintJson(view.report());
  return absl::NotFoundError(
      fmt::format("{} has no report yet: it has one when its ranks have reached the last step",
                  arguments.source));
}

}  // namespace

void AddReportCommand(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command = AddServerCommand(
      program, "report", "Shows what came of a run folder or of a job",
      "ltml report 20261124-103940-clipart-ce0734a8 --html report.html", arguments);
  command->add_option("RUN_OR_JOB", arguments->source, "A run folder, or a job's ID")->required();
  command
      ->add_option("--html", arguments->html,
                   "Writes a page with pictures, made to be mailed: one file that loads nothing")
      ->type_name("FILE");
  command->callback([arguments, &context] { context.Fail(Report(*arguments, context)); });
}

}  // namespace ltml::cli
