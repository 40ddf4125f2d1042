#include "coordinator/rpc/call_meter.h"

#include "fixture.h"

namespace ltml::coordinator {
namespace {

class CallMeterTest : public ApiTest {
 protected:
  // A call's last traces may come a moment after its answer.
  int64_t Count(const std::string& method, const std::string& code, int64_t expected) {
    int64_t count = 0;
    for (int i = 0; i < 1000; ++i) {
      auto table = meter_.table();
      count = table[{"ltml.v1.JobService", method}].by_code[code];
      if (count >= expected) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return count;
  }
};

TEST_F(CallMeterTest, CountsCallsByMethodAndStatus) {
  manager_.Put(Job("jobs/a"));
  v1::GetJobRequest request;
  v1::Job job;
  for (const char* name : {"jobs/a", "jobs/a", "jobs/b"}) {
    request.set_name(name);
    Call call("viewer");
    jobs_->Get(&call, request, &job);
  }
  Call stranger("nobody");
  jobs_->Get(&stranger, request, &job);
  EXPECT_EQ(Count("Get", "OK", 2), 2);
  EXPECT_EQ(Count("Get", "NotFound", 1), 1);
  EXPECT_EQ(Count("Get", "Unauthenticated", 1), 1);
  auto calls = meter_.table()[{"ltml.v1.JobService", "Get"}];
  int64_t durations = 0;
  for (const int64_t count : calls.durations.counts()) durations += count;
  EXPECT_EQ(durations, 4);
  EXPECT_GT(calls.durations.sum_seconds(), 0);
}

TEST_F(CallMeterTest, AStreamCountsWhenItEndsAlsoByItsClient) {
  manager_.Put(Job("jobs/a"));
  v1::WatchRequest request;
  request.set_name("jobs/a");
  {
    Call call("viewer");
    const auto watch = jobs_->Watch(&call, request);
    v1::WatchResponse response;
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(Count("Watch", "OK", 0), 0);
    call.TryCancel();
    while (watch->Read(&response)) {
    }
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(Count("Watch", "Canceled", 1), 1);
}

TEST(CodeName, OfEveryCode) {
  EXPECT_EQ(CodeName(grpc::StatusCode::OK), "OK");
  EXPECT_EQ(CodeName(grpc::StatusCode::CANCELLED), "Canceled");
  EXPECT_EQ(CodeName(grpc::StatusCode::UNAUTHENTICATED), "Unauthenticated");
  EXPECT_EQ(CodeName(static_cast<grpc::StatusCode>(99)), "Unknown");
}

}  // namespace
}  // namespace ltml::coordinator
