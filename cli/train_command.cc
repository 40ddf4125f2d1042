#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cli/data_sets.h"
#include "cli/interrupt.h"
#include "cli/report_text.h"
#include "cli/run_folder.h"
#include "cli/run_progress.h"
#include "cli/usage.h"
#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/base/status_macros.h"
#include "common/config/job_file.h"
#include "coordinator/app/local_run.h"

namespace ltml::cli {
namespace {

using jobs::RunOutcome;

struct Arguments {
  std::string job_file;
  std::vector<std::string> overrides;
  std::string run;
  int ranks = 0;
  bool resume = false;
};

struct PreparedRun {
  v1::JobSpec job;
  std::filesystem::path folder;  // absolute
  int classes = 0;
};

absl::StatusOr<std::filesystem::path> ChooseFolder(const Arguments& arguments,
                                                   const std::string& name) {
  if (!arguments.run.empty()) return std::filesystem::absolute(arguments.run);
  if (!arguments.resume) {
    return std::filesystem::absolute(DefaultRunFolder(name, std::chrono::system_clock::now()));
  }
  LTML_ASSIGN_OR_RETURN(const std::filesystem::path newest, NewestRunFolder(name));
  return std::filesystem::absolute(newest);
}

absl::StatusOr<PreparedRun> Prepare(const Arguments& arguments) {
  std::vector<std::string> overrides = arguments.overrides;
  if (arguments.ranks != 0) {
    overrides.push_back(fmt::format("resources.ranks={}", arguments.ranks));
  }
  PreparedRun run;
  LTML_ASSIGN_OR_RETURN(run.job, config::ReadJobFile(arguments.job_file, overrides));
  LTML_ASSIGN_OR_RETURN(const auto train, OpenTrainingSet(run.job));
  run.classes = train->classes();
  LTML_ASSIGN_OR_RETURN(run.folder, ChooseFolder(arguments, run.job.name()));
  if (arguments.resume) {
    LTML_ASSIGN_OR_RETURN(run.job, CheckResume(run.folder, run.job, train->info()));
  } else {
    LTML_RETURN_IF_ERROR(StartRun(run.folder, run.job, train->info()));
  }
  return run;
}

std::string ResumeCommand(const Arguments& arguments, const PreparedRun& run) {
  std::string command = fmt::format("ltml train {} --run {}", ShellQuoted(arguments.job_file),
                                    ShellQuoted(run.folder.string()));
  for (const std::string& one : arguments.overrides) command += " --set " + ShellQuoted(one);
  if (arguments.ranks != 0) command += fmt::format(" --ranks {}", arguments.ranks);
  return command + " --resume";
}

v1::WorkerTask TaskOf(const PreparedRun& run, bool resume) {
  v1::WorkerTask task;
  task.set_kind(v1::WorkerTask::KIND_TRAIN);
  task.set_job_id(run.folder.filename().string());
  task.set_run_folder(run.folder.string());
  *task.mutable_job() = run.job;
  if (resume) task.set_checkpoint("newest");
  return task;
}

absl::StatusOr<RunOutcome> Run(const PreparedRun& run, bool resume,
                               const InterruptCounter& interrupt, Context& context) {
  const int ranks = run.job.resources().ranks();
  if (::geteuid() == 0 && !context.quiet) {
    Say("ltml: running as root: mpirun is told to allow it\n");
  }
  RunProgress progress(context, run.job.schedule().steps(), ranks);
  coordinator::LocalRunOptions options;
  options.task = TaskOf(run, resume);
  options.folder = run.folder;
  options.ranks = ranks;
  options.classes = run.classes;
  options.events = progress.Events();
  options.interrupt = interrupt.count();
  return coordinator::RunLocally(options);
}

// From here on the run's job is the one that its last attempt ran with.  Not before: while another
// attempt has the folder, job.json is that one's.
void RecordResumedJob(const PreparedRun& run) {
  const absl::Status recorded = RecordJob(run.folder, run.job);
  if (recorded.ok()) return;
  Say(fmt::format("ltml: warning: the run's job.json is still that of the attempt before: {}\n",
                  std::string(recorded.message())));
}

absl::Status PrintReport(const PreparedRun& run, const Context& context) {
  v1::Report report;
  LTML_RETURN_IF_ERROR(DataFault(base::ReadJsonFile(run.folder / "report.json", &report)));
  if (context.json()) return PrintJson(report);
  return PrintText(ReportText(report, context.colour));
}

// What rank 0 warned of, such as a damaged checkpoint that it passed over, is for the user's eyes.
void RepeatWarnings(const std::filesystem::path& attempt) {
  std::istringstream log(base::ReadFile(attempt / "rank-0.log").value_or(""));
  for (std::string line; std::getline(log, line);) {
    if (line.find("Z warning ") != std::string::npos) Say(fmt::format("ltml: rank 0: {}\n", line));
  }
}

std::string LogText(const std::filesystem::path& attempt, int rank) {
  const auto own = attempt / fmt::format("rank-{}.log", rank);
  std::error_code error;
  const bool one = rank >= 0 && std::filesystem::exists(own, error);
  return fmt::format("log: {}", (one ? own : attempt).string());
}

absl::Status Stopped(const Arguments& arguments, const PreparedRun& run, int64_t step) {
  const bool resumable = !Checkpoints(run.folder).empty();
  return absl::CancelledError(fmt::format("stopped at step {}; {}:\n  {}", step,
                                          resumable
                                              ? "go on from the last checkpoint with"
                                              : "there is no checkpoint yet, begin again with",
                                          ResumeCommand(arguments, run)));
}

absl::Status Failed(const Arguments& arguments, const PreparedRun& run,
                    const v1::Failure& failure) {
  std::string text = fmt::format("training failed: {}\n{}", FailureText(failure),
                                 LogText(NewestAttempt(run.folder), failure.rank()));
  if (!Checkpoints(run.folder).empty()) {
    text +=
        fmt::format("\ngo on from the last checkpoint with:\n  {}", ResumeCommand(arguments, run));
  }
  return absl::InternalError(text);
}

absl::Status Told(const Arguments& arguments, const PreparedRun& run, const RunOutcome& outcome,
                  const Context& context) {
  switch (outcome.kind) {
    case RunOutcome::Kind::kSucceeded:
      return PrintReport(run, context);
    case RunOutcome::Kind::kStopped:
      return Stopped(arguments, run, outcome.step);
    default:
      return Failed(arguments, run, outcome.failure);
  }
}

absl::Status Train(const Arguments& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(const PreparedRun run, Prepare(arguments));
  // Until the outcome is told and recorded, whether or not anybody still reads it.
  const InterruptCounter interrupt(
      "\nltml: stopping after a checkpoint; once more (Ctrl-C) ends at once\n");
  const absl::StatusOr<RunOutcome> outcome = Run(run, arguments.resume, interrupt, context);
  if (outcome.ok()) RepeatWarnings(NewestAttempt(run.folder));
  context.Fail(outcome.ok() ? Told(arguments, run, *outcome, context) : outcome.status());
  if (arguments.resume && outcome.ok()) RecordResumedJob(run);
  return absl::OkStatus();
}

}  // namespace

void AddTrainCommand(CLI::App& program, Context& context) {
  CLI::App* command =
      AddCommand(program, "train", "Trains a job here and now and prints its report",
                 "ltml train examples/clipart/job.toml --ranks 2 --set schedule.steps=60");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("JOB", arguments->job_file, "The job file (docs/job-file.md)")->required();
  command
      ->add_option("--set", arguments->overrides,
                   "Replaces a value of the job file (relative paths start there too); may be "
                   "given often")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->add_option("--run", arguments->run, "The run folder (default: runs/NAME-TIME)")
      ->type_name("DIR");
  command->add_option("--ranks", arguments->ranks, "MPI processes, in place of resources.ranks")
      ->type_name("N")
      ->check(CLI::Range(1, 65536).description(""));
  command->add_flag("--resume", arguments->resume,
                    "Goes on from the newest checkpoint of the run folder");
  command->callback([arguments, &context] { context.Fail(Train(*arguments, context)); });
}

}  // namespace ltml::cli
