#pragma once

#include <poll.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/base/descriptor.h"

namespace ltml::launch {

struct StopRequest {
  std::string reason;
  bool at_once = false;
};

// "stop REASON\n" or "stop-now REASON\n"; a reason is one line of at most 1000 bytes.  Pure.
std::string StopLine(const StopRequest& request);
// Of a line without its end; nullopt for any other line.  Pure.
std::optional<StopRequest> ParseStopLine(std::string_view line);

// Where a supervisor hears that it must stop: the socket to the program that launched it, and a
// listening Unix socket for those that adopt the attempt.  Not thread-safe.
class ControlSocket {
 public:
  // Without `owner_may_go` the end of the owner's stream is a request to stop at once.
  ControlSocket(base::Descriptor owner, bool owner_may_go)
      : owner_{.descriptor = std::move(owner)}, owner_may_go_(owner_may_go) {}

  // Takes connections at `path`, for this user only.
  absl::Status Listen(const std::filesystem::path& path);
  void AddTo(std::vector<pollfd>& entries) const;
  // What was asked for since the last call, the more urgent request first.  Never waits.
  std::optional<StopRequest> Read();
  // To the owner; lost when it is gone.
  void Tell(std::string_view line);

 private:
  struct Stream {
    base::Descriptor descriptor;
    std::string text{};
  };
  void Accept();
  // Takes what has come; the stream is closed at its end.
  static void Receive(Stream& stream, std::optional<StopRequest>& request);

  Stream owner_;
  bool owner_may_go_;
  base::Descriptor listener_;
  std::vector<Stream> adopters_;
};

// A connection to the control socket at `path`; not open when nobody listens there.
base::Descriptor ConnectControl(const std::filesystem::path& path);

}  // namespace ltml::launch
