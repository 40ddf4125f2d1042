#include "coordinator/launch/rank_output.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace ltml::launch {
namespace {

// Longer lines are taken in pieces, so that an endless one costs no memory.
constexpr size_t kLineBytes = 64 << 10;

struct Tag {
  size_t begin = 0;
  size_t end = 0;
  int rank = 0;
};

std::optional<Tag> ParseTag(std::string_view text, size_t begin) {
  const char* const last = text.data() + text.size();
  Tag tag{.begin = begin};
  const auto [after, error] = std::from_chars(text.data() + begin + 3, last, tag.rank);
  if (error != std::errc()) return std::nullopt;
  const std::string_view rest(after, static_cast<size_t>(last - after));
  for (const std::string_view stream : {"]<stdout>:", "]<stderr>:", "]<stddiag>:"}) {
    if (!rest.starts_with(stream)) continue;
    tag.end = static_cast<size_t>(after - text.data()) + stream.size();
    return tag;
  }
  return std::nullopt;
}

std::optional<Tag> FindTag(std::string_view text, size_t from) {
  for (size_t at = text.find("[1,", from); at != std::string_view::npos;
       at = text.find("[1,", at + 1)) {
    if (const auto tag = ParseTag(text, at)) return tag;
  }
  return std::nullopt;
}

}  // namespace

RankOutput::RankOutput(const std::filesystem::path& folder, int ranks) : ranks_(ranks) {
  for (int rank = 0; rank < ranks; ++rank) {
    logs_.emplace_back(folder / fmt::format("rank-{}.log", rank));
  }
  logs_.emplace_back(folder / "mpirun.log");
}

void RankOutput::Write(int rank, std::string_view text) {
  if (text.empty()) return;
  logs_[rank >= 0 && rank < ranks_ ? rank : ranks_].Append(text);
}

void RankOutput::TakeLine(std::string_view line) {
  int rank = -1;
  size_t begin = 0;
  while (const auto tag = FindTag(line, begin)) {
    Write(rank, line.substr(begin, tag->begin - begin));
    rank = tag->rank;
    begin = tag->end;
  }
  Write(rank, line.substr(begin));
}

void RankOutput::Append(std::string_view text) {
  pending_ += text;
  size_t begin = 0;
  for (size_t end = pending_.find('\n'); end != std::string::npos;
       end = pending_.find('\n', begin)) {
    TakeLine(std::string_view(pending_).substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  pending_.erase(0, begin);
  if (pending_.size() < kLineBytes) return;
  TakeLine(pending_);
  pending_.clear();
}

void RankOutput::Close() {
  TakeLine(pending_);
  pending_.clear();
  for (CappedLog& log : logs_) log.Close();
}

}  // namespace ltml::launch
