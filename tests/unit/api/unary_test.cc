#include <thread>

#include "common/base/proto_json.h"
#include "common/rpc/details.h"
#include "fixture.h"

namespace ltml::coordinator {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class UnaryTest : public ApiTest {
 protected:
  // A call about one job; `Request` has a name.
  template <typename Request, typename Response>
  grpc::Status Ask(grpc::Status (v1::JobService::Stub::*method)(grpc::ClientContext*,
                                                                const Request&, Response*),
                   const std::string& name, Response* response, const std::string& user = "admin") {
    Call call(user);
    Request request;
    request.set_name(name);
    return (jobs_.get()->*method)(&call, request, response);
  }
};

TEST_F(UnaryTest, SubmitAnswersWithTheStoredJob) {
  Call call("submitter");
  v1::SubmitRequest request;
  request.mutable_spec()->set_name("flowers");
  request.set_request_id("a-1_b.C");
  v1::Job job;
  const grpc::Status status = jobs_->Submit(&call, request, &job);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(job.spec().name(), "flowers");
  EXPECT_EQ(job.owner(), "submitter");
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  ASSERT_EQ(audit_.entries().size(), 1U);
  EXPECT_EQ(audit_.entries()[0].subject, job.name());
  EXPECT_EQ(audit_.entries()[0].result, "OK");
}

TEST_F(UnaryTest, SubmitRefusesBadFields) {
  const auto fields = [&](const v1::SubmitRequest& request) {
    Call call;
    v1::Job job;
    const grpc::Status status = jobs_->Submit(&call, request, &job);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    return BadFields(status);
  };
  v1::SubmitRequest request;
  EXPECT_THAT(fields(request), ElementsAre("spec"));
  request.set_request_id(std::string(129, 'a'));
  EXPECT_THAT(fields(request), ElementsAre("spec", "request_id"));
  request.set_request_id("a b");
  request.mutable_spec()->set_name(std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(fields(request), ElementsAre("spec", "request_id"));
}

TEST_F(UnaryTest, MessagesBeyondTheLimitAreRefused) {
  Call call;
  v1::SubmitRequest request;
  request.mutable_spec()->set_name(std::string(65 << 20, 'x'));
  v1::Job job;
  EXPECT_EQ(jobs_->Submit(&call, request, &job).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::ListHostsResponse hosts;
  Call next;
  EXPECT_TRUE(pool_->ListHosts(&next, {}, &hosts).ok());
}

TEST_F(UnaryTest, BytesThatAreNoMessageAreRefused) {
  Call call;
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel_);
  const grpc::Slice garbage(std::string(100, '\xff'));
  const auto reader = stub.PrepareUnaryCall(&call, "/ltml.v1.JobService/Submit",
                                            grpc::ByteBuffer(&garbage, 1), &queue);
  reader->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  reader->Finish(&answer, &status, &call);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(),
              ::testing::HasSubstr("no message of /ltml.v1.JobService/Submit"));
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

TEST_F(UnaryTest, EveryCallAboutAJobChecksItsName) {
  for (const std::string name :
       {"", "jobs/..", "jobs/", "job", "jobs/a/b", "jobs/a b", "jobs/.a", "hosts/a"}) {
    SCOPED_TRACE(name);
    v1::Job job;
    v1::Report report;
    v1::RunView view;
    const std::vector<grpc::Status> all = {Ask(&v1::JobService::Stub::Get, name, &job),
                                           Ask(&v1::JobService::Stub::Cancel, name, &job),
                                           Ask(&v1::JobService::Stub::Pause, name, &job),
                                           Ask(&v1::JobService::Stub::Resume, name, &job),
                                           Ask(&v1::JobService::Stub::GetReport, name, &report),
                                           Ask(&v1::JobService::Stub::GetView, name, &view)};
    for (const grpc::Status& status : all) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
      EXPECT_THAT(BadFields(status), ElementsAre("name"));
    }
  }
  v1::Job job;
  const std::string endless = "jobs/" + std::string(1 << 20, 'a');
  const grpc::Status status = Ask(&v1::JobService::Stub::Get, endless, &job);
  EXPECT_LT(status.error_message().size(), 1000U) << "the message repeats the whole name";
}

TEST_F(UnaryTest, ChangesReachTheManagerAndComeBack) {
  manager_.Put(Job("jobs/a"));
  v1::Job job;
  EXPECT_TRUE(Ask(&v1::JobService::Stub::Pause, "jobs/a", &job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_PAUSED);
  EXPECT_TRUE(Ask(&v1::JobService::Stub::Resume, "jobs/a", &job).ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_TRUE(Ask(&v1::JobService::Stub::Cancel, "jobs/a", &job, "submitter").ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(manager_.last_actor().user, "submitter");
  EXPECT_FALSE(manager_.last_actor().all_jobs);
  EXPECT_TRUE(Ask(&v1::JobService::Stub::Get, "jobs/a", &job, "viewer").ok());
  EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(Ask(&v1::JobService::Stub::Get, "jobs/b", &job).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(audit_.entries().size(), 3U) << "Get changes nothing";
}

TEST_F(UnaryTest, HostsAreExaminedForAdmins) {
  Call call;
  v1::CheckHostsRequest request;
  request.add_hosts("one");
  v1::CheckHostsResponse response;
  ASSERT_TRUE(pool_->CheckHosts(&call, request, &response).ok());
  ASSERT_EQ(response.findings_size(), 1);
  EXPECT_EQ(response.findings(0).host(), "one");
  EXPECT_EQ(response.findings(0).cure(), "install openmpi-bin");
  ASSERT_EQ(audit_.entries().size(), 1U);
  EXPECT_EQ(audit_.entries()[0].subject, "one");
  Call bad;
  request.add_hosts("-oProxyCommand=x");
  EXPECT_THAT(BadFields(pool_->CheckHosts(&bad, request, &response)), ElementsAre("hosts"));
  Call many;
  for (int i = 0; i < 5000; ++i) request.add_hosts("one");
  EXPECT_EQ(BadFields(pool_->CheckHosts(&many, request, &response)).size(), 2U);
}

TEST_F(UnaryTest, RefusalsOfTheManagerKeepTheirDetails) {
  manager_.Put(Job("jobs/a"));
  manager_.Refuse(rpc::WithPreconditionFailure(absl::FailedPreconditionError("jobs/a is SUCCEEDED"),
                                               "JOB_STATE", "jobs/a", "SUCCEEDED"));
  v1::Job job;
  grpc::Status status = Ask(&v1::JobService::Stub::Pause, "jobs/a", &job);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  const auto precondition = DetailOf<google::rpc::PreconditionFailure>(status);
  ASSERT_TRUE(precondition.has_value());
  EXPECT_EQ(precondition->violations(0).subject(), "jobs/a");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->domain(), "ltml");
  EXPECT_EQ(audit_.entries().back().result, "FAILED_PRECONDITION");
  manager_.Refuse(
      rpc::WithRetryAfter(absl::UnavailableError("the disk is full"), std::chrono::seconds(3)));
  status = Ask(&v1::JobService::Stub::Pause, "jobs/a", &job);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(DetailOf<google::rpc::RetryInfo>(status)->retry_delay().seconds(), 3);
}

TEST_F(UnaryTest, ListPassesThroughAndChecks) {
  manager_.Put(Job("jobs/a"));
  manager_.Put(Job("jobs/b"));
  v1::ListJobsRequest request;
  v1::ListJobsResponse response;
  const auto list = [&] {
    Call call("viewer");
    return jobs_->List(&call, request, &response);
  };
  request.set_owner("me");
  ASSERT_TRUE(list().ok());
  EXPECT_EQ(response.jobs_size(), 2);
  EXPECT_EQ(response.next_page_token(), "me");
  for (const int size : {-1, 1001}) {
    request.set_page_size(size);
    EXPECT_THAT(BadFields(list()), ElementsAre("page_size")) << size;
  }
  request.set_page_size(1000);
  EXPECT_TRUE(list().ok());
  request.set_page_token("strange");
  const grpc::Status strange = list();
  EXPECT_EQ(strange.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(BadFields(strange), ElementsAre("page_token"));
  request.set_page_token(std::string(5000, 'x'));
  request.add_states(static_cast<v1::JobState>(77));
  request.set_order(static_cast<v1::ListJobsRequest::Order>(9));
  EXPECT_THAT(BadFields(list()), ElementsAre("page_token", "states", "order"));
}

TEST_F(UnaryTest, ValidateTellsWhatSubmitWould) {
  v1::ValidateRequest request;
  v1::ValidateResponse response;
  Call first("viewer");
  EXPECT_THAT(BadFields(jobs_->Validate(&first, request, &response)), ElementsAre("spec"));
  request.mutable_spec();
  Call second("viewer");
  ASSERT_TRUE(jobs_->Validate(&second, request, &response).ok());
  EXPECT_EQ(response.violations(0).field(), "schedule.steps");
}

TEST_F(UnaryTest, ReportIsReadOrItsAbsenceExplained) {
  manager_.Put(Job("jobs/a"));
  std::filesystem::create_directory(RunFolder());
  v1::Report report;
  const grpc::Status none = Ask(&v1::JobService::Stub::GetReport, "jobs/a", &report, "viewer");
  EXPECT_EQ(none.error_code(), grpc::StatusCode::NOT_FOUND);
  const auto precondition = DetailOf<google::rpc::PreconditionFailure>(none);
  ASSERT_TRUE(precondition.has_value());
  EXPECT_THAT(precondition->violations(0).description(), HasSubstr("RUNNING"));

  v1::Report written;
  written.set_steps(12);
  ASSERT_TRUE(base::WriteJsonFile(RunFolder() / "report.json", written).ok());
  ASSERT_TRUE(Ask(&v1::JobService::Stub::GetReport, "jobs/a", &report, "viewer").ok());
  EXPECT_EQ(report.steps(), 12);

  std::filesystem::rename(RunFolder() / "report.json", folder_.path() / "elsewhere");
  std::filesystem::create_symlink(folder_.path() / "elsewhere", RunFolder() / "report.json");
  EXPECT_EQ(Ask(&v1::JobService::Stub::GetReport, "jobs/a", &report, "viewer").error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(UnaryTest, ViewersSeeTheView) {
  manager_.Put(Job("jobs/a"));
  v1::RunView view;
  ASSERT_TRUE(Ask(&v1::JobService::Stub::GetView, "jobs/a", &view, "viewer").ok());
  EXPECT_EQ(view.job().name(), "jobs/a");
  EXPECT_EQ(Ask(&v1::JobService::Stub::GetView, "jobs/b", &view, "viewer").error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Ask(&v1::JobService::Stub::GetView, "jobs/a", &view, "stranger").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(UnaryTest, HostsAreListedDrainedAndUndrained) {
  v1::ListHostsResponse hosts;
  Call listing("viewer");
  ASSERT_TRUE(pool_->ListHosts(&listing, {}, &hosts).ok());
  EXPECT_EQ(hosts.hosts(0).name(), "one");
  const auto drain = [&](const std::string& name, const std::string& reason, v1::Host* host) {
    Call call;
    v1::DrainRequest request;
    request.set_host(name);
    request.set_reason(reason);
    return pool_->Drain(&call, request, host);
  };
  v1::Host host;
  ASSERT_TRUE(drain("one", "new fans", &host).ok());
  EXPECT_EQ(host.state(), v1::Host::STATE_DRAINED);
  EXPECT_EQ(drain("two", "", &host).error_code(), grpc::StatusCode::NOT_FOUND);
  for (const std::string name : {"", "-oProxyCommand=x", "a b", "../x"}) {
    EXPECT_THAT(BadFields(drain(name, "", &host)), ElementsAre("host")) << name;
  }
  EXPECT_THAT(BadFields(drain("one", std::string(2000, 'x'), &host)), ElementsAre("reason"));
  Call call;
  v1::UndrainRequest undrain;
  undrain.set_host("one");
  ASSERT_TRUE(pool_->Undrain(&call, undrain, &host).ok());
  EXPECT_EQ(host.state(), v1::Host::STATE_READY);
}

TEST_F(UnaryTest, RequestIdsAreTakenOrMinted) {
  manager_.Put(Job("jobs/a"));
  const auto id_for = [&](const std::string& sent) {
    Call call("admin", sent);
    v1::CancelRequest request;
    request.set_name("jobs/a");
    v1::Job job;
    EXPECT_TRUE(jobs_->Cancel(&call, request, &job).ok());
    const std::string id = call.trailing("x-request-id");
    EXPECT_EQ(audit_.entries().back().request_id, id);
    EXPECT_EQ(manager_.last_actor().request_id, id);
    return id;
  };
  EXPECT_EQ(id_for("my.Request_7-x"), "my.Request_7-x");
  EXPECT_EQ(id_for(std::string(128, 'a')), std::string(128, 'a'));
  for (const std::string& bad : {std::string(), std::string(129, 'a'), std::string("a b")}) {
    const std::string minted = id_for(bad);
    EXPECT_EQ(minted.size(), 32U);
    EXPECT_NE(minted, id_for(bad));
  }
  Call failing("admin", "of-an-error");
  v1::Job job;
  EXPECT_FALSE(jobs_->Get(&failing, {}, &job).ok());
  EXPECT_EQ(failing.trailing("x-request-id"), "of-an-error");
}

TEST_F(UnaryTest, ARateAboveTheLimitIsToldWhenToComeBack) {
  Serve(1, 100);  // a burst of two
  std::optional<grpc::Status> refused;
  for (int i = 0; i < 5 && !refused.has_value(); ++i) {
    Call call("viewer");
    v1::ListHostsResponse hosts;
    const grpc::Status status = pool_->ListHosts(&call, {}, &hosts);
    if (!status.ok()) refused = status;
  }
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(DetailOf<google::rpc::RetryInfo>(*refused).has_value());
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(*refused)->reason(), "RATE_LIMIT");
}

TEST_F(UnaryTest, AClientThatGoesAwayUndoesNothing) {
  manager_.Put(Job("jobs/a"));
  manager_.Hold();
  Call call;
  call.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  v1::CancelRequest request;
  request.set_name("jobs/a");
  v1::Job job;
  EXPECT_EQ(jobs_->Cancel(&call, request, &job).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_TRUE(WaitUntil([&] { return manager_.held() == 1; }));
  manager_.Release();
  EXPECT_EQ(manager_.Get("jobs/a")->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(WaitUntil([&] { return audit_.entries().size() == 1; }));
  EXPECT_EQ(audit_.entries()[0].result, "OK");
}

TEST_F(UnaryTest, AManagerThatEndsLeavesNoCallHanging) {
  manager_.Put(Job("jobs/a"));
  manager_.Hold();
  std::thread ending([&] {
    EXPECT_TRUE(WaitUntil([&] { return manager_.held() == 1; }));
    manager_.DropHeld();
  });
  v1::Job job;
  EXPECT_EQ(Ask(&v1::JobService::Stub::Cancel, "jobs/a", &job).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  ending.join();
}

}  // namespace
}  // namespace ltml::coordinator
