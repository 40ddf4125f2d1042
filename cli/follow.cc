#include "cli/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "cli/interrupt.h"
#include "cli/job_text.h"
#include "cli/progress_line.h"
#include "common/base/status_macros.h"
#include "coordinator/jobs/transition.h"

namespace ltml::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook(50);
constexpr std::chrono::milliseconds kPause(500);

// Cancels a call when the user interrupts, or time is over.
class Watchdog {
 public:
  Watchdog(grpc::ClientContext& context, const std::atomic<int>* interrupt,
           std::optional<Clock::time_point> deadline)
      : thread_([this, &context, interrupt, deadline] {
          while (!done_) {
            const bool interrupted = interrupt != nullptr && *interrupt > 0;
            if (interrupted || (deadline && Clock::now() >= *deadline)) context.TryCancel();
            std::this_thread::sleep_for(kLook);
          }
        }) {}
  ~Watchdog() {
    done_ = true;
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// Reads streams of one kind, one after the other, until one ends well.
struct StreamOptions {
  const std::atomic<int>* interrupt = nullptr;
  std::optional<Clock::time_point> deadline;
};

using ReadOnce = std::function<absl::Status(grpc::ClientContext&, bool* any)>;

absl::Status ReadStreams(const Connection& connection, const StreamOptions& options,
                         const ReadOnce& read) {
  Clock::time_point give_up = Clock::now() + connection.patience().away;
  while (true) {
    bool any = false;
    absl::Status status;
    {
      grpc::ClientContext context;
      connection.Prepare(context);
      const Watchdog watchdog(context, options.interrupt, options.deadline);
      status = read(context, &any);
    }
    if (options.interrupt != nullptr && *options.interrupt > 0) {
      return absl::CancelledError("interrupted");
    }
    if (options.deadline && Clock::now() >= *options.deadline) {
      return absl::DeadlineExceededError("the time is over, and the job has not ended");
    }
    if (!absl::IsUnavailable(status)) return status;
    if (any) give_up = Clock::now() + connection.patience().away;
    if (Clock::now() >= give_up) return status;
    std::this_thread::sleep_for(kPause);
  }
}

class Pace {
 public:
  // Seconds to the job's end at the pace since the first step that was seen; below 0: unknown.
  double SecondsLeft(const v1::Job& job) {
    if (job.state() != v1::JOB_STATE_RUNNING) {
      first_step_ = -1;
      return -1;
    }
    if (first_step_ < 0 || job.step() < first_step_) {
      first_step_ = job.step();
      first_time_ = Clock::now();
    }
    const auto done = static_cast<double>(job.step() - first_step_);
    if (done <= 0) return -1;
    const double seconds = std::chrono::duration<double>(Clock::now() - first_time_).count();
    return seconds / done * static_cast<double>(job.spec().schedule().steps() - job.step());
  }

 private:
  int64_t first_step_ = -1;
  Clock::time_point first_time_;
};

std::string RankText(int rank) { return rank < 0 ? "mpirun" : fmt::format("{}", rank); }

// Puts the rank before each line of text that comes in pieces.
class Prefixer {
 public:
  std::string Apply(const v1::LogChunk& chunk, bool prefix) {
    std::string text;
    if (chunk.left_out_bytes() > 0) {
      text = fmt::format("[{}] ... {} bytes are no longer kept ...\n", RankText(chunk.rank()),
                         chunk.left_out_bytes());
    }
    if (!prefix) return text + chunk.text();
    bool& open = open_[chunk.rank()];
    for (const char c : chunk.text()) {
      if (!open) text += fmt::format("[{}] ", RankText(chunk.rank()));
      open = c != '\n';
      text += c;
    }
    return text;
  }

 private:
  std::map<int, bool> open_;  // a line of this rank is not at its end
};

}  // namespace

absl::StatusOr<v1::Job> Follow(Connection& connection, const FollowOptions& options) {
  v1::WatchRequest request;
  request.set_name(options.job);
  LTML_RETURN_IF_ERROR(ReadStreams(connection, {options.interrupt, options.deadline},
                                   [&](grpc::ClientContext& context, bool* any) {
                                     const auto reader = connection.jobs().Watch(&context, request);
                                     v1::WatchResponse response;
                                     while (reader->Read(&response)) {
                                       *any = true;
                                       if (response.has_job()) {
                                         if (options.now) options.now(response.job());
                                       } else if (response.event().sequence() > request.after()) {
                                         request.set_after(response.event().sequence());
                                         if (options.event) options.event(response.event());
                                       }
                                     }
                                     const grpc::Status status = reader->Finish();
                                     return connection.Explain(status, context);
                                   }));
  v1::GetJobRequest get;
  get.set_name(options.job);
  return connection.Call(&v1::JobService::Stub::Get, get);
}

absl::Status Watch(Connection& connection, const std::string& job, Context& context) {
  const InterruptCounter interrupt("");
  ProgressLine line(context, "job", "steps");
  Pace pace;
  FollowOptions options;
  options.job = job;
  options.interrupt = interrupt.count();
  options.event = [&](const v1::JobEvent& event) {
    if (context.json()) {
      (void)PrintJson(event, true);
    } else {
      line.Note(EventText(event));
    }
  };
  options.now = [&](const v1::Job& now) { line.Show(LiveText(now, pace.SecondsLeft(now))); };
  const absl::StatusOr<v1::Job> ended = Follow(connection, options);
  if (absl::IsCancelled(ended.status())) {
    return absl::CancelledError(
        fmt::format("{} goes on; come back with: ltml watch {}", job, job.substr(5)));
  }
  LTML_RETURN_IF_ERROR(ended.status());
  return OutcomeOf(*ended);
}

absl::Status PrintLogs(Connection& connection, const LogOptions& options, const Context& context) {
  v1::LogsRequest request;
  request.set_name(options.job);
  request.set_attempt_epoch(options.attempt);
  request.mutable_ranks()->Assign(options.ranks.begin(), options.ranks.end());
  request.set_follow(options.follow);
  Prefixer prefixer;
  return ReadStreams(
      connection, {options.interrupt, std::nullopt}, [&](grpc::ClientContext& call, bool* any) {
        const auto reader = connection.jobs().Logs(&call, request);
        v1::LogChunk chunk;
        while (reader->Read(&chunk)) {
          *any = true;
          request.set_resume_after(chunk.position());
          absl::Status printed = context.json()
                                     ? PrintJson(chunk, true)
                                     : PrintText(prefixer.Apply(chunk, options.ranks.size() != 1));
          (void)std::fflush(stdout);
          if (!printed.ok()) {
            call.TryCancel();
            (void)reader->Finish();
            return printed;
          }
        }
        const grpc::Status status = reader->Finish();
        return connection.Explain(status, call);
      });
}

}  // namespace ltml::cli
