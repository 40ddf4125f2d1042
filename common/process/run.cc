#include "common/process/run.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/descriptor.h"
#include "common/base/status_macros.h"
#include "common/base/system.h"
#include "common/process/spawn.h"

namespace ltml::process {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How often `abandoned` is looked at.
constexpr milliseconds kLook(100);

struct Pipe {
  base::Descriptor reading, writing;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return absl::InternalError(fmt::format("cannot make a pipe: {}", base::Reason(errno)));
  }
  Pipe pipe{base::Descriptor(ends[0]), base::Descriptor(ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// One stream of a command; closed at its end.
struct Stream {
  base::Descriptor end;
  std::string text;

  void Read(size_t limit) {
    std::array<char, 16384> buffer;
    while (end.open()) {
      const ssize_t count = ::read(end.number(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count == 0) end.Close();
      if (count <= 0) return;
      const size_t room = limit - std::min(limit, text.size());
      text.append(buffer.data(), std::min(room, static_cast<size_t>(count)));
    }
  }
};

class Child {
 public:
  explicit Child(Command command) { answer_.status = Start(std::move(command)); }

  bool running() const { return process_ > 0; }
  void AddTo(std::vector<pollfd>& entries) const {
    for (const int number : {watch_.number(), output_.end.number(), errors_.end.number()}) {
      entries.push_back({number, POLLIN, 0});
    }
  }
  // What is there; whether it has ended is looked at first, so that its last words are read.
  void Advance(size_t output_bytes) {
    int status = 0;
    const bool ended = ::waitpid(process_, &status, WNOHANG) == process_;
    output_.Read(output_bytes);
    errors_.Read(output_bytes);
    if (ended) End(status);
  }
  void Kill(absl::Status status) {
    ::kill(-process_, SIGKILL);
    int ignored = 0;
    while (::waitpid(process_, &ignored, 0) < 0 && errno == EINTR) {
    }
    End(ignored);
    answer_.status = std::move(status);
  }
  Answer Take() && {
    answer_.output = std::move(output_.text);
    answer_.errors = std::move(errors_.text);
    return std::move(answer_);
  }

 private:
  absl::Status Start(Command command) {
    LTML_ASSIGN_OR_RETURN(Pipe output, MakePipe());
    LTML_ASSIGN_OR_RETURN(Pipe errors, MakePipe());
    LTML_ASSIGN_OR_RETURN(process_, Spawn({.arguments = std::move(command.arguments),
                                           .environment = std::move(command.environment),
                                           .output = output.writing.number(),
                                           .errors = errors.writing.number()}));
    output_.end = std::move(output.reading);
    errors_.end = std::move(errors.reading);
    watch_ = base::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process_, 0)));
    return absl::OkStatus();
  }
  void End(int status) {
    answer_.time = Clock::now() - start_;
    answer_.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    process_ = -1;
    watch_.Close();
    output_.end.Close();
    errors_.end.Close();
  }

  const Clock::time_point start_ = Clock::now();
  pid_t process_ = -1;
  base::Descriptor watch_;
  Stream output_, errors_;
  Answer answer_;
};

// Until something happens to one of them.
void AwaitNews(const std::vector<Child>& children, milliseconds left) {
  std::vector<pollfd> entries;
  for (const Child& child : children) {
    if (child.running()) child.AddTo(entries);
  }
  ::poll(entries.data(), entries.size(), static_cast<int>(left.count()));
}

}  // namespace

std::vector<Answer> RunAtOnce(std::vector<Command> commands, const RunLimits& limits) {
  const Clock::time_point deadline = Clock::now() + limits.time;
  std::vector<Child> children;
  for (Command& command : commands) children.emplace_back(std::move(command));
  absl::Status over;
  while (over.ok() && std::ranges::any_of(children, &Child::running)) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left <= milliseconds(0)) {
      over = absl::DeadlineExceededError(fmt::format(
          "no answer within {:.3g} s", std::chrono::duration<double>(limits.time).count()));
    } else if (limits.abandoned != nullptr && *limits.abandoned) {
      over = absl::CancelledError("abandoned");
    } else {
      AwaitNews(children, std::min(left, kLook));
    }
    for (Child& child : children) {
      if (child.running()) child.Advance(limits.output_bytes);
    }
  }
  std::vector<Answer> answers;
  for (Child& child : children) {
    if (child.running()) child.Kill(over);
    answers.push_back(std::move(child).Take());
  }
  return answers;
}

}  // namespace ltml::process
