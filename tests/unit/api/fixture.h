#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/files.h"
#include "coordinator/rpc/call_meter.h"
#include "coordinator/rpc/job_api.h"
#include "fake_manager.h"
#include "ltml/v1/job_service.grpc.pb.h"
#include "ltml/v1/pool_service.grpc.pb.h"

namespace ltml::coordinator {

class MemoryAudit final : public security::AuditLog {
 public:
  void Write(const security::AuditEntry& entry) override {
    const absl::MutexLock lock(&mutex_);
    entries_.push_back(entry);
  }
  std::vector<security::AuditEntry> entries() const {
    const absl::MutexLock lock(&mutex_);
    return entries_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<security::AuditEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

// Finds one thing on every host that is asked for.
class FakeExaminer final : public HostExaminer {
 public:
  void Examine(const v1::CheckHostsRequest& request, Done done) override {
    v1::CheckHostsResponse response;
    for (const std::string& host : request.hosts()) {
      v1::Finding& finding = *response.add_findings();
      finding.set_host(host);
      finding.set_grade(v1::Finding::GRADE_FAULT);
      finding.set_subject("mpirun");
      finding.set_text("not in PATH");
      finding.set_cure("install openmpi-bin");
    }
    done(std::move(response));
  }
};

// A client's view of one call.
class Call : public grpc::ClientContext {
 public:
  // `user` is one of viewer, submitter, admin (whose tokens are their names); empty: no proof.
  explicit Call(const std::string& user = "admin", const std::string& request_id = "");
  std::string trailing(const std::string& key) const;
};

// A detail of google.rpc out of a grpc::Status.
template <typename Detail>
std::optional<Detail> DetailOf(const grpc::Status& status) {
  google::rpc::Status all;
  all.ParseFromString(status.error_details());
  Detail detail;
  for (const auto& any : all.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

// Fields that a BadRequest names, in order.
std::vector<std::string> BadFields(const grpc::Status& status);

bool WaitUntil(const std::function<bool()>& condition,
               std::chrono::seconds limit = std::chrono::seconds(20));

// A real gRPC server with the API on a Unix socket, before a FakeManager.
class ApiTest : public ::testing::Test {
 protected:
  ApiTest();
  ~ApiTest() override { Stop(); }

  void Serve(double requests_per_second, int streams_per_user);
  void Stop();
  v1::Job Job(const std::string& name, v1::JobState state = v1::JOB_STATE_RUNNING);
  std::filesystem::path RunFolder() const { return folder_.path() / "run"; }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("ltml-api");
  FakeManager manager_;
  MemoryAudit audit_;
  FakeExaminer examiner_;
  std::unique_ptr<security::Directory> directory_;
  std::unique_ptr<security::RateLimit> limit_;
  CallMeter meter_;
  std::unique_ptr<JobApi> api_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::JobService::Stub> jobs_;
  std::unique_ptr<v1::PoolService::Stub> pool_;
};

}  // namespace ltml::coordinator
