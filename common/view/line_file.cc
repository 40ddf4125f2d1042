#include "common/view/line_file.h"

#include <algorithm>

#include "common/base/status_macros.h"
#include "common/run/run_file.h"

namespace ltml::view {
namespace {

constexpr int64_t kChunkBytes = 1 << 20;
// A line that is longer is no line of ours.
constexpr int64_t kLongestLineBytes = 64 << 20;

}  // namespace

absl::Status LineFile::Read(const std::function<void()>& restart,
                            const std::function<void(std::string_view)>& line) {
  const auto file = run::RunFile::Open(run_folder_, relative_);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  LTML_RETURN_IF_ERROR(file.status());
  LTML_ASSIGN_OR_RETURN(const int64_t size, file->Size());
  if (file->inode() != inode_ || size < offset_) {
    restart();
    inode_ = file->inode();
    offset_ = 0;
  }
  std::string text;  // from offset_ on
  while (offset_ + std::ssize(text) < size && std::ssize(text) < kLongestLineBytes) {
    const int64_t at = offset_ + std::ssize(text);
    LTML_ASSIGN_OR_RETURN(const std::string more, file->Read(at, std::min(kChunkBytes, size - at)));
    if (more.empty()) break;
    text += more;
    size_t begin = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
      line(std::string_view(text).substr(begin, end - begin));
      begin = end + 1;
    }
    text.erase(0, begin);
    offset_ += static_cast<int64_t>(begin);
  }
  return absl::OkStatus();
}

}  // namespace ltml::view
