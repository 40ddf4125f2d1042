#include "fixture.h"

namespace ltml::coordinator {
namespace {

using Code = grpc::StatusCode;

struct Row {
  const char* name;
  std::function<grpc::Status(grpc::ClientContext*, v1::JobService::Stub&, v1::PoolService::Stub&)>
      ask;
  bool submitter = true;
  bool viewer = true;
};

template <typename Request, typename Response>
Row OfJob(const char* name,
          grpc::Status (v1::JobService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                       Response*),
          bool viewer) {
  return {name,
          [method](grpc::ClientContext* call, v1::JobService::Stub& jobs, v1::PoolService::Stub&) {
            Response response;
            return (jobs.*method)(call, Request(), &response);
          },
          true, viewer};
}

template <typename Request, typename Response>
Row OfStream(const char* name,
             std::unique_ptr<grpc::ClientReader<Response>> (v1::JobService::Stub::*method)(
                 grpc::ClientContext*, const Request&)) {
  return {name,
          [method](grpc::ClientContext* call, v1::JobService::Stub& jobs, v1::PoolService::Stub&) {
            return (jobs.*method)(call, Request())->Finish();
          }};
}

template <typename Request, typename Response>
Row OfPool(const char* name,
           grpc::Status (v1::PoolService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                         Response*),
           bool everyone) {
  return {name,
          [method](grpc::ClientContext* call, v1::JobService::Stub&, v1::PoolService::Stub& pool) {
            Response response;
            return (pool.*method)(call, Request(), &response);
          },
          everyone, everyone};
}

// Requests are empty: who is let in is told that they are invalid (ListHosts: OK).
class RightsTest : public ApiTest {
 protected:
  static std::vector<Row> Rows() {
    using Jobs = v1::JobService::Stub;
    using Pool = v1::PoolService::Stub;
    return {OfJob("Submit", &Jobs::Submit, false),
            OfJob("Validate", &Jobs::Validate, true),
            OfJob("Get", &Jobs::Get, true),
            OfJob("Cancel", &Jobs::Cancel, false),
            OfJob("Pause", &Jobs::Pause, false),
            OfJob("Resume", &Jobs::Resume, false),
            OfJob("GetReport", &Jobs::GetReport, true),
            OfJob("List", &Jobs::List, true),
            OfStream("Watch", &Jobs::Watch),
            OfStream("Logs", &Jobs::Logs),
            OfPool("ListHosts", &Pool::ListHosts, true),
            OfPool("Drain", &Pool::Drain, false),
            OfPool("Undrain", &Pool::Undrain, false),
            OfPool("CheckHosts", &Pool::CheckHosts, false)};
  }

  Code Ask(const Row& row, const std::string& user) {
    Call call(user);
    return row.ask(&call, *jobs_, *pool_).error_code();
  }
  static bool Admitted(Code code) { return code == Code::OK || code == Code::INVALID_ARGUMENT; }
};

TEST_F(RightsTest, EveryMethodAsksForItsRole) {
  for (const Row& row : Rows()) {
    SCOPED_TRACE(row.name);
    EXPECT_TRUE(Admitted(Ask(row, "admin")));
    const Code submitter = Ask(row, "submitter");
    EXPECT_EQ(Admitted(submitter), row.submitter) << submitter;
    if (!row.submitter) {
      EXPECT_EQ(submitter, Code::PERMISSION_DENIED);
    }
    const Code viewer = Ask(row, "viewer");
    EXPECT_EQ(Admitted(viewer), row.viewer) << viewer;
    if (!row.viewer) {
      EXPECT_EQ(viewer, Code::PERMISSION_DENIED);
    }
    EXPECT_EQ(Ask(row, ""), Code::UNAUTHENTICATED);
    EXPECT_EQ(Ask(row, "nobody"), Code::UNAUTHENTICATED);
  }
}

TEST_F(RightsTest, EveryDenialIsAudited) {
  for (const Row& row : Rows()) {
    const size_t before = audit_.entries().size();
    Ask(row, "nobody");
    ASSERT_EQ(audit_.entries().size(), before + 1) << row.name;
    const security::AuditEntry entry = audit_.entries().back();
    EXPECT_EQ(entry.result, "UNAUTHENTICATED");
    EXPECT_THAT(entry.method, ::testing::EndsWith(std::string(".") + row.name));
    EXPECT_EQ(entry.user, "");
    EXPECT_NE(entry.peer, "");
  }
}

TEST_F(RightsTest, AnAuthorizationThatIsNoBearerTokenIsAWrongOne) {
  for (const std::string value : {"Basic YWRtaW46YWRtaW4=", "Bearer ", "admin"}) {
    Call call("");
    call.AddMetadata("authorization", value);
    v1::ListHostsResponse hosts;
    EXPECT_EQ(pool_->ListHosts(&call, {}, &hosts).error_code(), Code::UNAUTHENTICATED) << value;
  }
  Call twice("admin");
  twice.AddMetadata("authorization", "Bearer admin");
  v1::ListHostsResponse hosts;
  EXPECT_EQ(pool_->ListHosts(&twice, {}, &hosts).error_code(), Code::UNAUTHENTICATED);
}

}  // namespace
}  // namespace ltml::coordinator
