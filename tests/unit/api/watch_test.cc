#include <thread>

#include "fixture.h"

namespace ltml::coordinator {
namespace {

class WatchTest : public ApiTest {
 protected:
  WatchTest() { manager_.Put(Job("jobs/a")); }

  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> Watch(Call& call, int64_t after = 0,
                                                               const std::string& name = "jobs/a") {
    v1::WatchRequest request;
    request.set_name(name);
    request.set_after(after);
    return jobs_->Watch(&call, request);
  }

  // Sequence numbers of the events, to the end of the stream.
  static std::vector<int64_t> ReadEvents(grpc::ClientReader<v1::WatchResponse>& reader) {
    std::vector<int64_t> events;
    v1::WatchResponse response;
    while (reader.Read(&response)) {
      if (response.has_event()) events.push_back(response.event().sequence());
    }
    return events;
  }

  static std::vector<int64_t> UpTo(int64_t last) {
    std::vector<int64_t> all;
    for (int64_t i = 1; i <= last; ++i) all.push_back(i);
    return all;
  }

  v1::JobEvent LargeEvent() {
    v1::JobEvent event;
    event.mutable_checkpoint()->set_folder(std::string(20000, 'x'));
    return event;
  }
};

TEST_F(WatchTest, TheJobThenItsEventsUntilItsEnd) {
  manager_.Move("jobs/a", v1::JOB_STATE_STARTING);
  Call call("viewer", "watching");
  const auto reader = Watch(call);
  v1::WatchResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.job().name(), "jobs/a") << "the job comes first";
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.event().state_change().to(), v1::JOB_STATE_STARTING);
  manager_.Move("jobs/a", v1::JOB_STATE_RUNNING);
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.event().state_change().to(), v1::JOB_STATE_RUNNING);
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ReadEvents(*reader), std::vector<int64_t>{3});
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(call.trailing("x-request-id"), "watching");
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 0; }));
}

TEST_F(WatchTest, AReaderThatComesBackMissesAndRepeatsNothing) {
  for (int i = 0; i < 9; ++i) manager_.Move("jobs/a", v1::JOB_STATE_RUNNING);
  manager_.Move("jobs/a", v1::JOB_STATE_FAILED);
  for (int64_t after = 0; after <= 10; ++after) {
    Call call;
    const auto reader = Watch(call, after);
    const std::vector<int64_t> events = ReadEvents(*reader);
    EXPECT_TRUE(reader->Finish().ok());
    ASSERT_EQ(std::ssize(events), 10 - after);
    for (int64_t i = 0; i < std::ssize(events); ++i) EXPECT_EQ(events[i], after + 1 + i);
  }
}

TEST_F(WatchTest, BadRequestsAreRefused) {
  const auto finish = [&](int64_t after, const std::string& name) {
    Call call;
    return Watch(call, after, name)->Finish();
  };
  EXPECT_THAT(BadFields(finish(-1, "jobs/..")), ::testing::ElementsAre("name", "after"));
  EXPECT_THAT(BadFields(finish(1, "jobs/a")), ::testing::ElementsAre("after"));
  EXPECT_EQ(finish(0, "jobs/b").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(manager_.watchers(), 0);
}

TEST_F(WatchTest, ASlowReaderGetsAllEventsAndTheNewestJob) {
  constexpr int kEvents = 3000;  // 60 MB: far more than the connection holds
  Call call;
  const auto reader = Watch(call);
  ASSERT_TRUE(WaitUntil([&] { return manager_.watchers() == 1; }));
  v1::Job job = Job("jobs/a");
  for (int i = 0; i < kEvents; ++i) {
    manager_.Append("jobs/a", LargeEvent());
    job.set_step(i);
    manager_.Put(job);
  }
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
  v1::WatchResponse response;
  std::vector<int64_t> events;
  int jobs_told = 0;
  while (reader->Read(&response)) {
    if (response.has_event()) events.push_back(response.event().sequence());
    jobs_told += response.has_job() ? 1 : 0;
  }
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(events, UpTo(kEvents + 1));
  EXPECT_LT(jobs_told, kEvents) << "jobs that were overtaken are not told";
  EXPECT_GT(manager_.subscriptions(), 1) << "the reader was never behind: this tested nothing";
}

TEST_F(WatchTest, ACancelledWatcherIsForgotten) {
  Call call;
  const auto reader = Watch(call);
  v1::WatchResponse response;
  ASSERT_TRUE(reader->Read(&response));
  call.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 0; }));
  manager_.Move("jobs/a", v1::JOB_STATE_SUCCEEDED);
}

TEST_F(WatchTest, AWatcherThatStopsReadingAndIsCancelledIsForgotten) {
  Call call;
  const auto reader = Watch(call);
  ASSERT_TRUE(WaitUntil([&] { return manager_.watchers() == 1; }));
  for (int i = 0; i < 2000; ++i) manager_.Append("jobs/a", LargeEvent());
  call.TryCancel();
  reader->Finish();
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 0; }));
}

TEST_F(WatchTest, StreamsOfAUserAreBounded) {
  Serve(10000, 2);
  Call first;
  Call second;
  const auto one = Watch(first);
  const auto two = Watch(second);
  v1::WatchResponse response;
  ASSERT_TRUE(one->Read(&response));
  ASSERT_TRUE(two->Read(&response));
  Call third;
  const grpc::Status refused = Watch(third)->Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(refused)->reason(), "STREAM_LIMIT");
  first.TryCancel();
  one->Finish();
  EXPECT_TRUE(WaitUntil([&] {
    Call again;
    const auto reader = Watch(again);
    const bool open = reader->Read(&response);
    again.TryCancel();
    return open;
  })) << "the place of an ended stream is not free again";
}

TEST_F(WatchTest, EndStreamsEndsAllAtOnceAndLetsNoneIn) {
  constexpr int kStreams = 50;
  std::vector<std::unique_ptr<Call>> calls;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchResponse>>> readers;
  v1::WatchResponse response;
  for (int i = 0; i < kStreams; ++i) {
    calls.push_back(std::make_unique<Call>());
    readers.push_back(Watch(*calls.back()));
    ASSERT_TRUE(readers.back()->Read(&response));
  }
  const auto start = std::chrono::steady_clock::now();
  api_->EndStreams();
  for (const auto& reader : readers) {
    EXPECT_FALSE(reader->Read(&response));
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_TRUE(DetailOf<google::rpc::RetryInfo>(status).has_value());
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  Call late;
  EXPECT_EQ(Watch(late)->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(WaitUntil([&] { return manager_.watchers() == 0; }));
}

}  // namespace
}  // namespace ltml::coordinator
