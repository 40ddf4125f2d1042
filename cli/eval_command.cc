#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/data_sets.h"
#include "cli/interrupt.h"
#include "cli/report_text.h"
#include "cli/run_folder.h"
#include "cli/run_progress.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "coordinator/app/local_run.h"

namespace ltml::cli {
namespace {

using jobs::RunOutcome;
namespace fs = std::filesystem;

struct Arguments {
  std::string checkpoint;
  std::string data;
  std::string tta = "none";
  int ranks = 1;
  std::string predictions;
};

absl::Status CheckPredictionsFolder(const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  std::error_code error;
  const fs::path folder = fs::absolute(file).parent_path();
  if (fs::is_directory(folder, error)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--predictions: no folder '{}'; create it first", folder.string()));
}

v1::WorkerTask TaskOf(const Arguments& arguments, const Checkpoint& checkpoint,
                      const fs::path& report_file) {
  v1::WorkerTask task;
  task.set_kind(v1::WorkerTask::KIND_EVALUATE);
  task.set_job_id("eval");
  *task.mutable_job() = checkpoint.state.job();
  task.mutable_job()->mutable_resources()->set_ranks(arguments.ranks);
  task.set_checkpoint(fs::absolute(checkpoint.folder).lexically_normal().string());
  task.set_dataset(fs::absolute(arguments.data).lexically_normal().string());
  task.set_flip(arguments.tta == "flip");
  task.set_report_file(report_file.string());
  if (!arguments.predictions.empty()) {
    task.set_predictions_file(fs::absolute(arguments.predictions).string());
  }
  return task;
}

absl::StatusOr<RunOutcome> Run(const v1::WorkerTask& task, const fs::path& scratch, int classes,
                               Context& context) {
  const int ranks = task.job().resources().ranks();
  const InterruptCounter interrupt("\nltml: stopping\n");
  RunProgress progress(context, 0, ranks);
  coordinator::LocalRunOptions options;
  options.task = task;
  options.folder = scratch;
  options.ranks = ranks;
  options.classes = classes;
  options.events = progress.Events();
  options.events.evaluation = nullptr;
  options.interrupt = interrupt.count();
  return coordinator::RunLocally(options);
}

absl::Status Evaluate(const Arguments& arguments, Context& context) {
  LTML_RETURN_IF_ERROR(CheckPredictionsFolder(arguments.predictions));
  LTML_ASSIGN_OR_RETURN(const Checkpoint checkpoint, FindCheckpoint(arguments.checkpoint));
  const auto& names = checkpoint.state.classes();
  const std::vector<std::string> classes(names.begin(), names.end());
  LTML_RETURN_IF_ERROR(OpenMatchingSet(arguments.data, classes, "the checkpoint").status());

  LTML_ASSIGN_OR_RETURN(const base::PrivateFolder scratch,
                        base::PrivateFolder::Create("ltml-eval"));
  const fs::path report_file = scratch.path() / "report.json";
  LTML_ASSIGN_OR_RETURN(const RunOutcome outcome,
                        Run(TaskOf(arguments, checkpoint, report_file), scratch.path(),
                            static_cast<int>(classes.size()), context));
  if (outcome.kind == RunOutcome::Kind::kStopped) return absl::CancelledError("stopped");
  if (outcome.kind == RunOutcome::Kind::kFailed) {
    return absl::InternalError("evaluation failed: " + FailureText(outcome.failure));
  }
  v1::Report report;
  LTML_RETURN_IF_ERROR(DataFault(base::ReadJsonFile(report_file, &report)));
  if (context.json()) return PrintJson(report);
  return PrintText(ReportText(report, context.colour));
}

}  // namespace

void AddEvalCommand(CLI::App& program, Context& context) {
  CLI::App* command = AddCommand(
      program, "eval", "Evaluates a checkpoint on a data set and prints the report",
      "ltml eval runs/clipart-20260102T030405Z --data data/clipart/test --predictions test.csv");
  const auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("CHECKPOINT", arguments->checkpoint,
                   "A checkpoint folder, or a run folder (then its best one)")
      ->required();
  command->add_option("--data", arguments->data, "A data set folder made by 'ltml data import'")
      ->type_name("DATASET")
      ->required();
  command
      ->add_option("--tta", arguments->tta,
                   "Averages over changed copies of an image: none (default) or flip")
      ->type_name("KIND")
      ->check(CLI::IsMember({"none", "flip"}).description(""));
  command->add_option("--ranks", arguments->ranks, "MPI processes (default 1)")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""));
  command
      ->add_option("--predictions", arguments->predictions,
                   "Writes the probabilities of every image as CSV")
      ->type_name("FILE.csv");
  command->callback([arguments, &context] { context.Fail(Evaluate(*arguments, context)); });
}

}  // namespace ltml::cli
