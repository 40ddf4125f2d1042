#include "coordinator/rpc/log_position.h"

#include <fmt/format.h>

#include <optional>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/base/sha256.h"
#include "common/run/folder.h"
#include "coordinator/rpc/request_checks.h"

namespace ltml::coordinator {
namespace {

constexpr size_t kChecksum = 8;

std::string ChecksumOf(std::string_view text) {
  return base::Sha256().Update(text).HexDigest().substr(0, kChecksum);
}

bool ParseOffset(absl::string_view text, LogPosition& position) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  int32_t rank = 0;
  int64_t offset = 0;
  return parts.size() == 2 && absl::SimpleAtoi(parts[0], &rank) && rank >= run::kMpirun &&
         absl::SimpleAtoi(parts[1], &offset) && offset >= 0 &&
         position.offsets.emplace(rank, offset).second;
}

// checksum, job, epoch, then RANK:OFFSET each.
std::optional<LogPosition> Parse(absl::string_view token) {
  std::string text;
  if (!absl::WebSafeBase64Unescape(token, &text)) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
  if (parts.size() < 3 || parts[0].size() != kChecksum) return std::nullopt;
  if (ChecksumOf(std::string_view(text).substr(kChecksum)) != parts[0]) return std::nullopt;
  LogPosition position;
  position.job = std::string(parts[1]);
  if (!absl::SimpleAtoi(parts[2], &position.attempt_epoch)) return std::nullopt;
  for (size_t i = 3; i < parts.size(); ++i) {
    if (!ParseOffset(parts[i], position)) return std::nullopt;
  }
  return position;
}

}  // namespace

std::string ToToken(const LogPosition& position) {
  std::string text = fmt::format(" {} {}", position.job, position.attempt_epoch);
  for (const auto& [rank, offset] : position.offsets) text += fmt::format(" {}:{}", rank, offset);
  return absl::WebSafeBase64Escape(ChecksumOf(text) + text);
}

absl::StatusOr<LogPosition> FromToken(std::string_view token, std::string_view job) {
  const auto position = Parse(absl::string_view(token.data(), token.size()));
  if (!position.has_value()) {
    return BadField("resume_after", "is damaged; expected the position of a LogChunk as it was");
  }
  if (position->job == job) return *position;
  return BadField("resume_after",
                  fmt::format("is a position in {}, expected one in {}", position->job, job));
}

}  // namespace ltml::coordinator
