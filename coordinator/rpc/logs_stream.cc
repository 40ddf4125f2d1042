#include "coordinator/rpc/logs_stream.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/run/folder.h"
#include "coordinator/jobs/transition.h"

namespace ltml::coordinator {
namespace {

constexpr Method kLogs{"JobService.Logs", security::Right::kView};
constexpr std::chrono::milliseconds kRefreshEvery{150};
constexpr int kMostRetries = 25;

}  // namespace

grpc::ServerWriteReactor<v1::LogChunk>* LogsStream::Start(CallEnvironment& environment,
                                                          StreamPump& pump,
                                                          grpc::CallbackServerContext& context,
                                                          const v1::LogsRequest& request) {
  return ServerStream::Start(std::make_shared<LogsStream>(environment, pump, context, request),
                             request);
}

LogsStream::LogsStream(CallEnvironment& environment, StreamPump& pump,
                       grpc::CallbackServerContext& context, const v1::LogsRequest& request)
    : ServerStream(environment, kLogs, context, pump), request_(request) {}

// What is known of the job must be older than what is read of its logs: then logs of an attempt
// that is over are read to their very end.
absl::Status LogsStream::Refresh() {
  const auto now = std::chrono::steady_clock::now();
  if (begun_ && now - refreshed_ < kRefreshEvery) return absl::OkStatus();
  refreshed_ = now;
  LTML_ASSIGN_OR_RETURN(job_, call().options().manager->Get(request_.name()));
  return absl::OkStatus();
}

absl::Status LogsStream::Begin() {
  position_.job = request_.name();
  LTML_RETURN_IF_ERROR(ChooseRanks());
  LTML_RETURN_IF_ERROR(ChooseAttempt());
  begun_ = true;
  return absl::OkStatus();
}

absl::Status LogsStream::ChooseRanks() {
  const int32_t ranks = job_.spec().resources().ranks();
  std::vector<int32_t> wanted(request_.ranks().begin(), request_.ranks().end());
  for (int32_t rank = 0; request_.ranks().empty() && rank < ranks; ++rank) wanted.push_back(rank);
  if (request_.ranks().empty()) wanted.push_back(run::kMpirun);
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (const int32_t rank : wanted) {
    if (rank < run::kMpirun || rank >= ranks) {
      return BadField(
          "ranks", fmt::format("got rank {}, expected 0 to {}, or -1 for mpirun", rank, ranks - 1));
    }
    Source source;
    source.rank = rank;
    sources_.push_back(source);
  }
  return absl::OkStatus();
}

absl::Status LogsStream::ChooseAttempt() {
  int64_t epoch = request_.attempt_epoch();
  if (!request_.resume_after().empty()) {
    LTML_ASSIGN_OR_RETURN(position_, FromToken(request_.resume_after(), request_.name()));
    if (epoch != 0 && epoch != position_.attempt_epoch) {
      return BadField("resume_after", fmt::format("is a position in attempt {}, expected one in {}",
                                                  position_.attempt_epoch, epoch));
    }
    epoch = position_.attempt_epoch;
  }
  if (epoch == 0) {
    if (!job_.attempts().empty()) EnterAttempt(job_.attempts().rbegin()->epoch());
    return absl::OkStatus();
  }
  const bool known = std::any_of(job_.attempts().begin(), job_.attempts().end(),
                                 [&](const v1::Attempt& a) { return a.epoch() == epoch; });
  if (!known) {
    return absl::NotFoundError(fmt::format("{} has no attempt {}; it has {} so far",
                                           request_.name(), epoch, job_.attempts_size()));
  }
  position_.attempt_epoch = epoch;
  return absl::OkStatus();
}

void LogsStream::EnterAttempt(int64_t epoch) {
  position_.attempt_epoch = epoch;
  position_.offsets.clear();
  for (Source& source : sources_) {
    source.limit.reset();
    source.seen_size = -1;
  }
}

bool LogsStream::EnterNextAttempt() {
  if (request_.attempt_epoch() != 0) return false;
  for (const v1::Attempt& attempt : job_.attempts()) {
    if (attempt.epoch() <= position_.attempt_epoch) continue;
    EnterAttempt(attempt.epoch());
    return true;
  }
  return false;
}

bool LogsStream::AttemptIsOver() const {
  if (jobs::IsTerminal(job_.state())) return true;
  return std::any_of(job_.attempts().begin(), job_.attempts().end(), [&](const v1::Attempt& a) {
    return a.epoch() > position_.attempt_epoch ||
           (a.epoch() == position_.attempt_epoch && a.has_end_time());
  });
}

StreamStep LogsStream::Next(v1::LogChunk* chunk) {
  absl::Status status = Refresh();
  if (status.ok() && !begun_) status = Begin();
  if (!status.ok()) return StreamStep::End(std::move(status));
  rewriting_ = false;
  do {
    if (position_.attempt_epoch == 0) continue;
    const absl::StatusOr<bool> taken = Take(chunk);
    if (!taken.ok()) return StreamStep::End(taken.status());
    if (*taken) return StreamStep::Write();
    if (!AttemptIsOver() && request_.follow()) return StreamStep::Wait();
  } while (EnterNextAttempt());
  const bool one_attempt = request_.attempt_epoch() != 0 && AttemptIsOver();
  const bool complete =
      request_.follow() ? one_attempt || jobs::IsTerminal(job_.state()) : !rewriting_;
  return complete ? StreamStep::End(absl::OkStatus()) : StreamStep::Wait();
}

absl::StatusOr<bool> LogsStream::Take(v1::LogChunk* chunk) {
  for (size_t i = 0; i < sources_.size(); ++i) {
    LTML_ASSIGN_OR_RETURN(const bool taken, TakeFrom(sources_[turn_], chunk));
    // Followed logs take turns; others come whole, one after the other.
    if (!taken || request_.follow()) turn_ = (turn_ + 1) % sources_.size();
    if (taken) return true;
  }
  return false;
}

absl::StatusOr<bool> LogsStream::TakeFrom(Source& source, v1::LogChunk* chunk) {
  const bool over = AttemptIsOver();
  if (!over && !Changed(source)) return false;
  const LogReader reader(job_.run_folder(), FileOf(source));
  if (!over && !request_.follow()) {
    LTML_ASSIGN_OR_RETURN(const bool reached, Reached(source, reader));
    if (reached) return false;
  }
  LTML_ASSIGN_OR_RETURN(auto piece,
                        reader.Read(position_.offsets[source.rank], over || !request_.follow()));
  if (!piece.has_value()) return false;
  source.seen_size = -1;
  Fill(source, *std::move(piece), chunk);
  return true;
}

// A log may grow faster than it is read: without follow its reader stops where it ended at first.
absl::StatusOr<bool> LogsStream::Reached(Source& source, const LogReader& reader) {
  if (!source.limit.has_value()) {
    LTML_ASSIGN_OR_RETURN(source.limit, reader.End());
  }
  if (!source.limit.has_value()) {
    rewriting_ = ++retries_ < kMostRetries;
    source.seen_size = -1;
    return true;
  }
  return position_.offsets[source.rank] >= *source.limit;
}

std::filesystem::path LogsStream::FileOf(const Source& source) const {
  return run::LogFile(position_.attempt_epoch, source.rank);
}

// Spares the opening of files that are as they were when they held nothing new.
bool LogsStream::Changed(Source& source) const {
  struct stat now {};
  const std::filesystem::path file = std::filesystem::path(job_.run_folder()) / FileOf(source);
  if (::lstat(file.c_str(), &now) != 0) return false;
  const bool same = source.seen_size == now.st_size &&
                    source.seen_time.tv_sec == now.st_mtim.tv_sec &&
                    source.seen_time.tv_nsec == now.st_mtim.tv_nsec;
  source.seen_size = now.st_size;
  source.seen_time = now.st_mtim;
  return !same;
}

void LogsStream::Fill(const Source& source, LogPiece piece, v1::LogChunk* chunk) {
  position_.offsets[source.rank] = piece.next_offset;
  chunk->set_attempt_epoch(position_.attempt_epoch);
  chunk->set_rank(source.rank);
  chunk->set_text(std::move(piece.text));
  chunk->set_left_out_bytes(piece.left_out_bytes);
  chunk->set_position(ToToken(position_));
}

}  // namespace ltml::coordinator
