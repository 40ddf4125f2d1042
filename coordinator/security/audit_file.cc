#include "coordinator/security/audit_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/descriptor.h"
#include "common/base/log.h"
#include "common/base/proto_json.h"
#include "common/base/proto_time.h"
#include "common/base/system.h"
#include "ltml/v1/store.pb.h"

namespace ltml::security {
namespace {

v1::AuditRecord RecordOf(const AuditEntry& entry) {
  v1::AuditRecord record;
  *record.mutable_time() = base::ToTimestamp(std::chrono::system_clock::now());
  record.set_request_id(entry.request_id);
  record.set_user(entry.user);
  record.set_peer(entry.peer);
  record.set_method(entry.method);
  record.set_subject(entry.subject);
  record.set_result(entry.result);
  record.set_message(entry.message);
  return record;
}

class AuditFile final : public AuditLog {
 public:
  AuditFile(std::string name, base::Descriptor descriptor)
      : name_(std::move(name)), descriptor_(std::move(descriptor)) {}

  void Write(const AuditEntry& entry) override;

 private:
  void Note(int error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string name_;
  const base::Descriptor descriptor_;
  absl::Mutex mutex_;
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
  bool torn_ ABSL_GUARDED_BY(mutex_) = false;  // the file's last line has no end
};

void AuditFile::Write(const AuditEntry& entry) {
  const absl::StatusOr<std::string> json = base::ToJson(RecordOf(entry), true);
  if (!json.ok()) {
    base::Log(base::LogLevel::kError, "audit_lost", "request={} reason={}", entry.request_id,
              base::LogValue(std::string(json.status().message())));
    return;
  }
  const absl::MutexLock lock(&mutex_);
  const std::string line = fmt::format("{}{}\n", torn_ ? "\n" : "", *json);
  // In one call, so that lines stay whole.
  const ssize_t written = ::write(descriptor_.number(), line.data(), line.size());
  Note(written == std::ssize(line) ? 0 : written < 0 ? errno : ENOSPC);
  if (written > 0) torn_ = written < std::ssize(line);
}

void AuditFile::Note(int error) {
  if (error != 0 && !failing_) {
    base::Log(base::LogLevel::kError, "audit_not_written", "file={} reason={}",
              base::LogValue(name_), base::LogValue(base::Reason(error)));
  }
  failing_ = error != 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> OpenAuditFile(const std::filesystem::path& file) {
  base::Descriptor descriptor(
      ::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (descriptor.open()) return std::make_unique<AuditFile>(file.string(), std::move(descriptor));
  return absl::InternalError(
      fmt::format("cannot open the audit log '{}': {}", file.string(), base::Reason(errno)));
}

}  // namespace ltml::security
