#include "common/view/words.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "common/base/proto_time.h"
#include "common/base/text.h"

namespace ltml::view {
namespace {

std::string NameOf(v1::JobState state) {
  std::string name = v1::JobState_Name(state).substr(sizeof("JOB_STATE_") - 1);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

}  // namespace

std::string IdOf(const v1::Job& job) { return job.name().substr(job.name().find('/') + 1); }

std::string StateText(const v1::Job& job) {
  if (job.state() != v1::JOB_STATE_STOPPING) return NameOf(job.state());
  return fmt::format("{} ({} next)", NameOf(job.state()), NameOf(job.stop_goal()));
}

std::string CauseText(v1::FailureCause cause) {
  switch (cause) {
    case v1::FAILURE_CAUSE_DATA:
      return "bad data";
    case v1::FAILURE_CAUSE_NON_FINITE:
      return "a number that is not finite";
    case v1::FAILURE_CAUSE_OUT_OF_MEMORY:
      return "out of memory";
    case v1::FAILURE_CAUSE_CONFIGURATION:
      return "settings that do not work";
    case v1::FAILURE_CAUSE_LAUNCH:
      return "the launch failed";
    case v1::FAILURE_CAUSE_RANK_LOST:
      return "a rank was lost";
    case v1::FAILURE_CAUSE_RANK_SILENT:
      return "a rank fell silent";
    case v1::FAILURE_CAUSE_NO_PROGRESS:
      return "no progress";
    case v1::FAILURE_CAUSE_COORDINATOR_LOST:
      return "the coordinator was lost";
    case v1::FAILURE_CAUSE_COLLECTIVE:
      return "a collective operation failed";
    case v1::FAILURE_CAUSE_STORAGE:
      return "storage failed";
    case v1::FAILURE_CAUSE_PROTOCOL:
      return "a rank broke the protocol";
    default:
      return "internal error";
  }
}

std::string FailureText(const v1::Failure& failure) {
  std::string place = failure.rank() >= 0 ? fmt::format("rank {}", failure.rank()) : "";
  if (!failure.host().empty()) {
    place += fmt::format("{}on {}", place.empty() ? "" : " ", failure.host());
  }
  place += fmt::format("{}at step {}", place.empty() ? "" : " ", failure.step());
  return fmt::format("{} ({}): {}", CauseText(failure.cause()), place, failure.message());
}

std::string PlacementText(const google::protobuf::RepeatedPtrField<v1::Placement>& placements) {
  std::vector<std::string> parts;
  for (const v1::Placement& placement : placements) {
    std::string share =
        fmt::format("{} {}", placement.ranks(), placement.ranks() == 1 ? "rank" : "ranks");
    if (!placement.devices().empty()) {
      share += fmt::format(", GPU{} {}", placement.devices_size() == 1 ? "" : "s",
                           fmt::join(placement.devices(), " "));
    }
    parts.push_back(fmt::format("{} ({})", placement.host(), share));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string UtcText(const google::protobuf::Timestamp& time) {
  const auto seconds =
      std::chrono::time_point_cast<std::chrono::seconds>(base::FromTimestamp(time));
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(seconds));
}

std::string AgeText(const google::protobuf::Timestamp& time,
                    std::chrono::system_clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - base::FromTimestamp(time)).count();
  return base::TimeText(std::max(seconds, 0.0));
}

}  // namespace ltml::view
