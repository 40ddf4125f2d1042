#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/rpc/job_api.h"

namespace ltml::coordinator {

// How many calls are under way.  Thread-safe.
class CallCount {
 public:
  void Add(int calls) {
    const absl::MutexLock lock(&mutex_);
    calls_ += calls;
  }
  void AwaitNone(absl::Duration limit) {
    const absl::MutexLock lock(&mutex_);
    const auto none = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return calls_ == 0; };
    mutex_.AwaitWithTimeout(absl::Condition(&none), limit);
  }

 private:
  absl::Mutex mutex_;
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What all calls of a JobApi share.
struct CallEnvironment {
  explicit CallEnvironment(const JobApiOptions& all) : options(all) {}
  JobApiOptions options;
  CallCount calls;
};

struct Method {
  const char* name;  // "JobService.Submit"
  security::Right right;
  bool changes = false;  // is written to the audit log whatever comes of it
};

// Who calls, under which request id, and what became of it.  Made at the start of a call, when it
// also puts the request id into the trailing metadata.  Not thread-safe.
class CallContext {
 public:
  CallContext(CallEnvironment& environment, const Method& method,
              grpc::CallbackServerContext& context);
  ~CallContext() { environment_.calls.Add(-1); }
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  // Identifies the caller, checks its right to the method, and counts the call against its rate.
  // Unauthenticated, PermissionDenied, ResourceExhausted.
  absl::Status Admit();
  // What the call is about, for the audit log: "jobs/..." or a host.
  void set_subject(std::string_view subject) { subject_ = subject.substr(0, kLongestSubject); }
  // Writes log and audit log, and translates.  Call once, last.
  grpc::Status Conclude(const absl::Status& status) const;

  service::Actor actor() const;
  const std::string& user() const { return user_.name; }
  const std::string& request_id() const { return request_id_; }
  const JobApiOptions& options() const { return environment_.options; }

 private:
  static constexpr size_t kLongestSubject = 256;
  void WriteAudit(const absl::Status& status) const;

  CallEnvironment& environment_;
  const Method method_;
  security::Proof proof_;
  std::string request_id_;
  std::string peer_;
  security::User user_;
  std::string subject_;
};

}  // namespace ltml::coordinator
