#include "coordinator/launch/capped_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ltml::launch {
namespace {

void WriteAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

CappedLog::CappedLog(std::filesystem::path file, int64_t part_bytes)
    : file_(std::move(file)), part_bytes_(part_bytes) {}

void CappedLog::Append(std::string_view text) {
  if (!descriptor_.open()) {
    if (failed_) return;
    descriptor_ =
        base::Descriptor(::open(file_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    failed_ = !descriptor_.open();
    if (failed_) return;
  }
  const auto head = std::min<int64_t>(part_bytes_ - first_bytes_, std::ssize(text));
  WriteAll(descriptor_.number(), text.substr(0, head));
  first_bytes_ += head;
  text.remove_prefix(head);
  if (text.empty()) return;
  end_ += text;
  if (std::ssize(end_) > 2 * part_bytes_) {
    RewriteEnd();
  } else {
    WriteAll(descriptor_.number(), text);
  }
}

void CappedLog::RewriteEnd() {
  const int64_t surplus = std::ssize(end_) - part_bytes_;
  end_.erase(0, surplus);
  left_out_bytes_ += surplus;
  if (::ftruncate(descriptor_.number(), first_bytes_) != 0) return;
  if (::lseek(descriptor_.number(), first_bytes_, SEEK_SET) < 0) return;
  WriteAll(descriptor_.number(), fmt::format("\n... {} bytes left out ...\n", left_out_bytes_));
  WriteAll(descriptor_.number(), end_);
}

void CappedLog::Close() {
  if (!descriptor_.open()) return;
  if (std::ssize(end_) > part_bytes_) RewriteEnd();
  descriptor_.Close();
  failed_ = true;
}

}  // namespace ltml::launch
