#include "coordinator/rpc/log_reader.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "common/base/status_macros.h"
#include "common/run/run_file.h"

namespace ltml::coordinator {
namespace {

using run::RunFile;

constexpr int kTries = 3;
constexpr int64_t kLongestMark = 64;

// The line between the first and the last part.
struct Mark {
  int64_t left_out_bytes = 0;  // 0: there is no such line
  int64_t length = 0;
  bool cut = false;  // nothing stands after the first part: a short log, or the end is rewritten
  friend bool operator==(const Mark&, const Mark&) = default;
};

Mark ParseMark(std::string_view text) {
  if (text.empty()) return {.cut = true};
  constexpr std::string_view kBefore = "\n... ";
  constexpr std::string_view kAfter = " bytes left out ...\n";
  if (!text.starts_with(kBefore)) return {};
  const std::string_view rest = text.substr(kBefore.size());
  Mark mark;
  const auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), mark.left_out_bytes);
  const std::string_view after = rest.substr(end - rest.data());
  if (error != std::errc() || mark.left_out_bytes <= 0 || !after.starts_with(kAfter)) return {};
  mark.length = static_cast<int64_t>(after.data() - text.data() + kAfter.size());
  return mark;
}

absl::StatusOr<Mark> ReadMark(const RunFile& file) {
  LTML_ASSIGN_OR_RETURN(const std::string text, file.Read(kLogPartBytes, kLongestMark));
  return ParseMark(text);
}

// Bytes of one part of the file that follow each other in the log.
struct Window {
  std::string bytes;
  int64_t offset = 0;     // of the first byte
  bool last_part = true;  // false: bytes are missing after the part
};

absl::StatusOr<Window> ReadWindow(const RunFile& file, const Mark& mark, int64_t offset) {
  Window window;
  window.offset = offset;
  int64_t position = offset;
  int64_t bytes = kLogChunkBytes;
  if (mark.cut) {
    bytes = std::clamp<int64_t>(kLogPartBytes - offset, 0, bytes);
  } else if (mark.left_out_bytes > 0 && offset < kLogPartBytes) {
    window.last_part = false;
    bytes = std::min(bytes, kLogPartBytes - offset);
  } else if (mark.left_out_bytes > 0) {
    const int64_t start = kLogPartBytes + mark.left_out_bytes;
    window.offset = std::max(offset, start);
    position = kLogPartBytes + mark.length + window.offset - start;
  }
  LTML_ASSIGN_OR_RETURN(window.bytes, file.Read(position, bytes));
  return window;
}

// How many of the bytes may be told: whole lines; a line that fills the window is told in parts.
size_t Tellable(std::string_view bytes, bool filled, bool whole) {
  const size_t newline = bytes.rfind('\n');
  if (newline != std::string_view::npos) return newline + 1;
  return filled || whole ? bytes.size() : 0;
}

std::optional<LogPiece> ToPiece(const Window& window, int64_t offset, bool whole) {
  std::string_view bytes = window.bytes;
  const bool filled = std::ssize(bytes) == kLogChunkBytes;
  const bool after_gap = window.offset > offset;
  size_t skipped = 0;
  if (after_gap) {
    const size_t newline = bytes.find('\n');
    if (newline != std::string_view::npos) skipped = newline + 1;
    if (skipped == 0 && !filled && !whole) return std::nullopt;
    bytes.remove_prefix(skipped);
  }
  const bool last_line = whole && window.last_part && !filled;
  const size_t told = last_line ? bytes.size() : Tellable(bytes, filled, false);
  if (told == 0 && !(after_gap && whole)) return std::nullopt;
  LogPiece piece;
  piece.text = bytes.substr(0, told);
  piece.left_out_bytes = window.offset + static_cast<int64_t>(skipped) - offset;
  piece.next_offset = offset + piece.left_out_bytes + static_cast<int64_t>(told);
  return piece;
}

absl::StatusOr<std::optional<LogPiece>> ReadPiece(const RunFile& file, const Mark& mark,
                                                  int64_t offset, bool whole) {
  LTML_ASSIGN_OR_RETURN(const Window first, ReadWindow(file, mark, offset));
  auto piece = ToPiece(first, offset, whole);
  if (piece.has_value() || first.last_part) return piece;
  // What is left of the first part is the beginning of a line whose end is gone.
  LTML_ASSIGN_OR_RETURN(const Window second, ReadWindow(file, mark, kLogPartBytes));
  return ToPiece(second, offset, whole);
}

}  // namespace

// The supervisor may rewrite the end while it is read.  Each rewriting grows the mark's number, and
// writes the mark before what follows it: the same mark before and after means that all between
// belongs to it.
absl::StatusOr<std::optional<LogPiece>> LogReader::Read(int64_t offset, bool whole) const {
  auto file = RunFile::Open(run_folder_, file_);
  if (absl::IsNotFound(file.status())) return std::nullopt;
  LTML_RETURN_IF_ERROR(file.status());
  for (int i = 0; i < kTries; ++i) {
    LTML_ASSIGN_OR_RETURN(const Mark before, ReadMark(*file));
    LTML_ASSIGN_OR_RETURN(auto piece, ReadPiece(*file, before, offset, whole));
    LTML_ASSIGN_OR_RETURN(const Mark after, ReadMark(*file));
    if (before == after) return piece;
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<int64_t>> LogReader::End() const {
  auto file = RunFile::Open(run_folder_, file_);
  if (absl::IsNotFound(file.status())) return 0;
  LTML_RETURN_IF_ERROR(file.status());
  LTML_ASSIGN_OR_RETURN(const Mark before, ReadMark(*file));
  LTML_ASSIGN_OR_RETURN(const int64_t size, file->Size());
  LTML_ASSIGN_OR_RETURN(const Mark after, ReadMark(*file));
  if (before != after) return std::nullopt;
  if (before.left_out_bytes == 0) {
    return size == kLogPartBytes ? std::nullopt : std::optional<int64_t>(size);
  }
  const int64_t last_part = size - kLogPartBytes - before.length;
  if (last_part < kLogPartBytes) return std::nullopt;
  return kLogPartBytes + before.left_out_bytes + last_part;
}

}  // namespace ltml::coordinator
