#include <gtest/gtest.h>

#include "tests/unit/session/fixture.h"
#include "tests/unit/session/raw_rank.h"

namespace ltml::coordinator {
namespace {

class ServerTest : public CoordinatorTest {
 protected:
  static v1::WorkerMessage Hello(int rank, int64_t process_id) {
    return HelloOf({.rank = rank, .process_id = process_id});
  }
  static v1::WorkerMessage Metrics(int64_t step) { return MetricsOf(7, step); }
};

TEST_F(ServerTest, AnotherProcessWithARankThatIsTakenIsRefused) {
  StartServer();
  RawRank first(options_.address), second(options_.address);
  ASSERT_TRUE(first.Write(Hello(0, 1)));
  EXPECT_EQ(first.Read().grant().window(), 0);
  ASSERT_TRUE(second.Write(Hello(0, 2)));
  const v1::CoordinatorMessage answer = second.Read();
  EXPECT_NE(answer.refusal().reason().find("repeats the rank of process 1"), std::string::npos)
      << answer.ShortDebugString();
  EXPECT_EQ(second.Finish().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(first.Read().grant().window(), 1);
  EXPECT_FALSE(server_->Ranks()[0].lost);
}

TEST_F(ServerTest, TheSameProcessMayComeBackAndRepeatItself) {
  StartServer();
  {
    RawRank rank(options_.address);
    rank.Write(Hello(0, 1));
    for (int64_t step : {10, 20}) rank.Write(Metrics(step));
    ASSERT_TRUE(told_.AwaitCount(3));
  }
  RawRank rank(options_.address);
  rank.Write(Hello(0, 1));
  for (int64_t step : {10, 20, 30}) rank.Write(Metrics(step));
  ASSERT_TRUE(told_.AwaitCount(4));
  EXPECT_EQ(told_.lines(),
            (std::vector<std::string>{"hello 0", "metrics 0 10", "metrics 0 20", "metrics 0 30"}));
  EXPECT_FALSE(server_->Ranks()[0].lost);
}

TEST_F(ServerTest, TheFirstMessageMustBeAHello) {
  StartServer();
  RawRank rank(options_.address);
  rank.Write(Metrics(1));
  EXPECT_NE(rank.Read().refusal().reason().find("not a hello"), std::string::npos);
}

TEST_F(ServerTest, MessagesOfAnOldEpochAreRefused) {
  StartServer();
  RawRank rank(options_.address);
  rank.Write(Hello(1, 1));
  v1::WorkerMessage old = Metrics(1);
  old.set_attempt_epoch(6);
  rank.Write(old);
  EXPECT_NE(rank.Read().refusal().reason().find("attempt epoch 6 in epoch 7"), std::string::npos);
  EXPECT_EQ(told_.lines(), std::vector<std::string>{"hello 1"});
}

TEST_F(ServerTest, SumsOfAnotherNumberOfClassesBreakTheProtocol) {
  StartServer();
  RawRank rank(options_.address);
  rank.Write(Hello(0, 1));
  for (int64_t w : {0, 1}) EXPECT_EQ(rank.Read().grant().window(), w);
  v1::WorkerMessage report;
  report.set_attempt_epoch(7);
  report.mutable_window_report()->mutable_sums()->mutable_uniform_positive()->add_n(1);
  rank.Write(report);
  EXPECT_TRUE(rank.Read().has_refusal());
  ASSERT_TRUE(server_->ProtocolFailure().has_value());
  EXPECT_EQ(server_->ProtocolFailure()->rank(), 0);
}

TEST_F(ServerTest, AHalfClosedSessionEndsWell) {
  StartServer();
  RawRank rank(options_.address);
  rank.Write(Hello(1, 1));
  EXPECT_TRUE(rank.End().ok());
}

TEST_F(ServerTest, AnAddressThatCannotBeUsedIsNamed) {
  options_.address = "unix:" + (folder_.path() / "missing" / "socket").string();
  const auto server = WorkerServer::Start(options_.address);
  EXPECT_TRUE(absl::IsUnavailable(server.status()));
  EXPECT_NE(std::string(server.status().message()).find(options_.address), std::string::npos);
}

}  // namespace
}  // namespace ltml::coordinator
