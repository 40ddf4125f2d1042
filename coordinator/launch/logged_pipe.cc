#include "coordinator/launch/logged_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <system_error>
#include <utility>

namespace ltml::launch {
namespace {

// What fits while the supervisor is busy; where it is not allowed, less fits.
constexpr int kPipeBytes = 1 << 20;

}  // namespace

absl::StatusOr<LoggedPipe> LoggedPipe::CreateNamed(const std::filesystem::path& pipe,
                                                   std::filesystem::path log) {
  // Open for writing too, it has no end of file between one writer and the next.
  base::Descriptor end(::mkfifo(pipe.c_str(), 0600) == 0 ? ::open(pipe.c_str(), O_RDWR | O_CLOEXEC)
                                                         : -1);
  if (!end.open()) {
    return absl::InternalError(fmt::format("cannot create '{}': {}", pipe.string(),
                                           std::generic_category().message(errno)));
  }
  return LoggedPipe(std::move(end), std::move(log));
}

LoggedPipe::LoggedPipe(base::Descriptor reading_end, std::filesystem::path log)
    : descriptor_(std::move(reading_end)), log_(std::move(log)) {
  ::fcntl(number(), F_SETFL, O_NONBLOCK);
  ::fcntl(number(), F_SETPIPE_SZ, kPipeBytes);
}

bool LoggedPipe::Read() {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(number(), buffer.data(), buffer.size());
  if (count > 0) {
    log_.Append(std::string_view(buffer.data(), static_cast<size_t>(count)));
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  if (count == 0 || errno != EAGAIN) descriptor_.Close();
  return false;
}

void LoggedPipe::Close() {
  while (descriptor_.open() && Read()) {
  }
  descriptor_.Close();
  log_.Close();
}

std::filesystem::path RankPipe(const std::filesystem::path& scratch, int rank) {
  return scratch / fmt::format("rank-{}.pipe", rank);
}

void JoinRankPipe(const std::filesystem::path& pipe) {
  // Without O_NONBLOCK a pipe that nobody reads would hold the rank here.
  const base::Descriptor end(::open(pipe.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!end.open()) return;
  ::fcntl(end.number(), F_SETFL, 0);
  ::dup2(end.number(), STDOUT_FILENO);
  ::dup2(end.number(), STDERR_FILENO);
}

}  // namespace ltml::launch
