#include <fmt/format.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/connection.h"
#include "cli/context.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/job_text.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "common/config/job_file.h"
#include "coordinator/jobs/transition.h"

namespace ltml::cli {
namespace {

constexpr int kLargestPage = 1000;

struct SubmitArguments : ServerOptions {
  std::string job_file;
  std::vector<std::string> overrides;
  std::string request_id;
  bool watch = false;
};

absl::Status PrintJob(const v1::Job& job, const Context& context) {
  if (context.json()) return PrintJson(job);
  return PrintText(JobText(job, std::chrono::system_clock::now()));
}

absl::Status Submit(const SubmitArguments& arguments, Context& context) {
  v1::SubmitRequest request;
  LTML_ASSIGN_OR_RETURN(*request.mutable_spec(),
                        config::ReadJobFile(arguments.job_file, arguments.overrides));
  request.set_request_id(arguments.request_id.empty() ? base::RandomToken() : arguments.request_id);
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  LTML_ASSIGN_OR_RETURN(const v1::Job job,
                        connection->Call(&v1::JobService::Stub::Submit, request));
  if (!arguments.watch) {
    return context.json() ? PrintJson(job) : PrintText(fmt::format("{}\n", job.name().substr(5)));
  }
  Say(fmt::format("ltml: submitted {}\n", job.name()));
  return Watch(*connection, job.name(), context);
}

struct ListArguments : ServerOptions {
  std::vector<std::string> states;
  std::string owner, name;
  int limit = 50;
  bool oldest_first = false;
};

absl::StatusOr<v1::ListJobsRequest> QueryOf(const ListArguments& arguments) {
  v1::ListJobsRequest query;
  for (std::string state : arguments.states) {
    for (char& c : state) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    v1::JobState value = v1::JOB_STATE_UNSPECIFIED;
    if (!v1::JobState_Parse("JOB_STATE_" + state, &value)) {
      return absl::InvalidArgumentError(fmt::format(
          "--state: got '{}', expected queued, starting, running, stopping, recovering, "
          "paused, preempted, succeeded, failed or cancelled",
          state));
    }
    query.add_states(value);
  }
  query.set_owner(arguments.owner);
  query.set_job_name(arguments.name);
  query.set_order(arguments.oldest_first ? v1::ListJobsRequest::ORDER_OLDEST_FIRST
                                         : v1::ListJobsRequest::ORDER_NEWEST_FIRST);
  return query;
}

absl::Status List(const ListArguments& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(v1::ListJobsRequest query, QueryOf(arguments));
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  std::vector<v1::Job> jobs;
  do {
    query.set_page_size(
        std::min<int>(arguments.limit - static_cast<int>(jobs.size()), kLargestPage));
    LTML_ASSIGN_OR_RETURN(const v1::ListJobsResponse page,
                          connection->Call(&v1::JobService::Stub::List, query));
    jobs.insert(jobs.end(), page.jobs().begin(), page.jobs().end());
    query.set_page_token(page.next_page_token());
  } while (!query.page_token().empty() && std::ssize(jobs) < arguments.limit);
  if (!context.json()) {
    return PrintText(JobTable(jobs, std::chrono::system_clock::now(), context.colour));
  }
  for (const v1::Job& job : jobs) LTML_RETURN_IF_ERROR(PrintJson(job, true));
  return absl::OkStatus();
}

struct JobArguments : ServerOptions {
  std::string id;
};

absl::Status Show(const JobArguments& arguments, Context& context) {
  v1::GetJobRequest request;
  request.set_name(JobName(arguments.id));
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  LTML_ASSIGN_OR_RETURN(const v1::Job job, connection->Call(&v1::JobService::Stub::Get, request));
  return PrintJob(job, context);
}

// Cancel, pause, resume: a request with a name, an answer with the job.
template <typename Request>
using Control = grpc::Status (v1::JobService::Stub::*)(grpc::ClientContext*, const Request&,
                                                       v1::Job*);

template <typename Request>
absl::Status Change(const JobArguments& arguments, Control<Request> control, Context& context) {
  Request request;
  request.set_name(JobName(arguments.id));
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  LTML_ASSIGN_OR_RETURN(const v1::Job job, connection->Call(control, request));
  if (context.json()) return PrintJson(job);
  return PrintText(fmt::format("{} {}\n", job.name().substr(5), StateText(job)));
}

absl::Status WatchJob(const JobArguments& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  return Watch(*connection, JobName(arguments.id), context);
}

struct LogArguments : JobArguments {
  bool follow = false;
  std::vector<int> ranks;
  int64_t attempt = 0;
};

absl::Status Logs(const LogArguments& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  const InterruptCounter interrupt("");
  LogOptions options{.job = JobName(arguments.id),
                     .ranks = arguments.ranks,
                     .attempt = arguments.attempt,
                     .follow = arguments.follow,
                     .interrupt = interrupt.count()};
  LTML_RETURN_IF_ERROR(PrintLogs(*connection, options, context));
  if (!arguments.follow) return absl::OkStatus();
  v1::GetJobRequest request;
  request.set_name(options.job);
  LTML_ASSIGN_OR_RETURN(const v1::Job job, connection->Call(&v1::JobService::Stub::Get, request));
  return OutcomeOf(job);
}

struct WaitArguments : ServerOptions {
  std::vector<std::string> ids;
  double seconds = 0;
};

absl::Status Wait(const WaitArguments& arguments, Context& context) {
  LTML_ASSIGN_OR_RETURN(const auto connection, Connection::Open(arguments));
  const InterruptCounter interrupt("");
  std::optional<std::chrono::steady_clock::time_point> deadline;
  if (arguments.seconds > 0) {
    deadline = std::chrono::steady_clock::now() +
               std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                   std::chrono::duration<double>(arguments.seconds));
  }
  absl::Status worst;
  for (const std::string& id : arguments.ids) {
    LTML_ASSIGN_OR_RETURN(const v1::Job job, Follow(*connection, {.job = JobName(id),
                                                                  .event = {},
                                                                  .now = {},
                                                                  .interrupt = interrupt.count(),
                                                                  .deadline = deadline}));
    if (context.json()) {
      LTML_RETURN_IF_ERROR(PrintJson(job, true));
    } else {
      LTML_RETURN_IF_ERROR(PrintText(fmt::format("{} {}\n", job.name().substr(5), StateText(job))));
    }
    worst.Update(OutcomeOf(job));
  }
  return worst;
}

std::shared_ptr<JobArguments> AddJob(CLI::App& program, const std::string& name,
                                     const std::string& description, Context& context,
                                     absl::Status (*run)(const JobArguments&, Context&)) {
  auto arguments = std::make_shared<JobArguments>();
  CLI::App* command =
      AddServerCommand(program, name, description,
                       fmt::format("ltml {} 20261124-103940-clipart-ce0734a8", name), arguments);
  command->add_option("ID", arguments->id, "The job, as `ltml jobs` lists it")->required();
  command->callback([arguments, &context, run] { context.Fail(run(*arguments, context)); });
  return arguments;
}

void AddSubmit(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<SubmitArguments>();
  CLI::App* command =
      AddServerCommand(program, "submit", "Hands a job to the server and prints its ID",
                       "ltml submit examples/clipart/job.toml --watch", arguments);
  command->add_option("JOB", arguments->job_file, "The job file (docs/job-file.md)")->required();
  command
      ->add_option("--set", arguments->overrides,
                   "Replaces a value of the job file; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false);
  command->add_flag("--watch", arguments->watch, "Follows the job to its end");
  command
      ->add_option("--request-id", arguments->request_id,
                   "The same id within 24 h gives the same job, whatever became of the first try")
      ->type_name("ID");
  command->callback([arguments, &context] { context.Fail(Submit(*arguments, context)); });
}

void AddList(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<ListArguments>();
  CLI::App* command = AddServerCommand(program, "jobs", "Lists jobs",
                                       "ltml jobs --state running --owner ada", arguments);
  command->add_option("--state", arguments->states, "Only jobs in this state; may be repeated")
      ->type_name("STATE")
      ->allow_extra_args(false);
  command->add_option("--owner", arguments->owner, "Only jobs of this user")->type_name("USER");
  command->add_option("--name", arguments->name, "Only jobs with this `name` in their job file")
      ->type_name("NAME");
  command->add_option("--limit", arguments->limit, "At most so many (default: 50)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""));
  command->add_flag("--oldest-first", arguments->oldest_first, "In the order of submission");
  command->callback([arguments, &context] { context.Fail(List(*arguments, context)); });
}

void AddLogs(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<LogArguments>();
  CLI::App* command =
      AddServerCommand(program, "logs", "Prints what the ranks of a job said",
                       "ltml logs 20261124-103940-clipart-ce0734a8 -f --rank 0", arguments);
  command->add_option("ID", arguments->id, "The job, as `ltml jobs` lists it")->required();
  command->add_flag("-f,--follow", arguments->follow, "Goes on until the job has ended");
  command->add_option("--rank", arguments->ranks, "Only this rank; may be repeated; -1 is mpirun")
      ->type_name("R")
      ->allow_extra_args(false);
  command->add_option("--attempt", arguments->attempt, "Of this attempt (default: the newest)")
      ->type_name("N");
  command->callback([arguments, &context] { context.Fail(Logs(*arguments, context)); });
}

void AddWait(CLI::App& program, Context& context) {
  const auto arguments = std::make_shared<WaitArguments>();
  CLI::App* command = AddServerCommand(program, "wait", "Waits for jobs to end",
                                       "ltml wait 20261124-103940-clipart-ce0734a8", arguments);
  command->add_option("ID", arguments->ids, "Jobs, as `ltml jobs` lists them")->required();
  command
      ->add_option("--timeout", arguments->seconds, "Gives up after so many seconds (exit code 5)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e9).description(""));
  command->callback([arguments, &context] { context.Fail(Wait(*arguments, context)); });
}

}  // namespace

void AddJobCommands(CLI::App& program, Context& context) {
  AddSubmit(program, context);
  AddList(program, context);
  AddJob(program, "job", "Shows a job: state, attempts, results", context, &Show);
  AddJob(program, "watch", "Follows a job to its end", context, &WatchJob);
  AddLogs(program, context);
  AddJob(program, "cancel", "Ends a job for good", context,
         [](const JobArguments& arguments, Context& c) {
           return Change<v1::CancelRequest>(arguments, &v1::JobService::Stub::Cancel, c);
         });
  AddJob(program, "pause", "Has a job write a checkpoint and give its slots back", context,
         [](const JobArguments& arguments, Context& c) {
           return Change<v1::PauseRequest>(arguments, &v1::JobService::Stub::Pause, c);
         });
  AddJob(program, "resume", "Puts a paused job back into the queue", context,
         [](const JobArguments& arguments, Context& c) {
           return Change<v1::ResumeRequest>(arguments, &v1::JobService::Stub::Resume, c);
         });
  AddWait(program, context);
}

}  // namespace ltml::cli
