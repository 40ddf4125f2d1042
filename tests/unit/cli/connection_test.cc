#include "cli/connection.h"

#include <chrono>
#include <string>
#include <thread>

#include "tests/unit/cli/service_fixture.h"

namespace ltml::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using Jobs = v1::JobService::Stub;

class ConnectionTest : public ServiceTest {
 protected:
  static absl::StatusOr<v1::Job> Get(Connection& connection, const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    return connection.Call(&Jobs::Get, request);
  }
  static absl::StatusOr<v1::Job> Cancel(Connection& connection) {
    v1::CancelRequest request;
    request.set_name("jobs/a");
    return connection.Call(&Jobs::Cancel, request);
  }
  static std::string Message(const absl::Status& status) { return std::string(status.message()); }
};

TEST_F(ConnectionTest, CallsCarryTheUsersToken) {
  const auto connection = Connect("submitter");
  ASSERT_TRUE(Cancel(*connection).ok());
  EXPECT_EQ(manager_.last_actor().user, "submitter");
  EXPECT_NE(manager_.last_actor().request_id, "");
  v1::DrainRequest drain;
  drain.set_host("one");
  const auto denied = connection->Call(&v1::PoolService::Stub::Drain, drain);
  EXPECT_TRUE(absl::IsPermissionDenied(denied.status())) << denied.status();
}

TEST_F(ConnectionTest, EveryCallHasARequestIdOfItsOwn) {
  const auto connection = Connect();
  ASSERT_TRUE(Cancel(*connection).ok());
  const std::string first = manager_.last_actor().request_id;
  ASSERT_TRUE(Cancel(*connection).ok());
  EXPECT_NE(manager_.last_actor().request_id, first);
  EXPECT_THAT(Message(Get(*connection, "jobs/none").status()),
              ContainsRegex("there is no jobs/none .request [0-9a-f]+."));
}

TEST_F(ConnectionTest, CallsWaitForAServerThatIsBeingStartedAgain) {
  const auto connection = Connect();
  ASSERT_TRUE(Get(*connection, "jobs/a").ok());
  Stop();
  std::thread starting([this] {
    std::this_thread::sleep_for(500ms);
    Restart();
  });
  const auto job = Get(*connection, "jobs/a");
  starting.join();
  EXPECT_TRUE(job.ok()) << job.status();
}

TEST_F(ConnectionTest, AServerThatDoesNotComeBackIsGivenUpByName) {
  const auto connection = Connect("admin", {.retry = 300ms});
  Stop();
  const absl::Status status = Get(*connection, "jobs/a").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Message(status), AllOf(HasSubstr("the server at " + Address() + " does not answer"),
                                     HasSubstr("`ltmld run`")));
}

TEST_F(ConnectionTest, ACallThatGetsNoAnswerEndsAtItsDeadlineAndIsNotRepeated) {
  const auto connection = Connect("admin", {.call = 300ms});
  manager_.Hold();
  const absl::Status status = Cancel(*connection).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("does not answer"));
  EXPECT_EQ(manager_.held(), 1u);
  manager_.Release();
}

TEST_F(ConnectionTest, ViolationsAreTold) {
  const auto connection = Connect();
  const auto job = connection->Call(&Jobs::Submit, v1::SubmitRequest());
  EXPECT_TRUE(absl::IsInvalidArgument(job.status()));
  EXPECT_THAT(Message(job.status()), HasSubstr("\n  spec: is missing; expected the job"));
}

TEST_F(ConnectionTest, WhenToTryAgainIsTold) {
  Serve(1, 100);
  const auto connection = Connect();
  absl::Status status;
  for (int i = 0; i < 5 && status.ok(); ++i) status = Get(*connection, "jobs/a").status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(Message(status), ContainsRegex("; try again in [0-9.]+ s"));
}

TEST_F(ConnectionTest, TheServerIsTheOneThatIsNamedLast) {
  const std::string config = Write("client.toml", "server = \"unix:socket\"\ninsecure = true\n");
  const auto server_of = [](const ServerOptions& options) {
    const auto connection = Connection::Open(options);
    return connection.ok() ? (*connection)->server() : connection.status().ToString();
  };
  EXPECT_EQ(server_of({.config = config, .server = {}}), Address());
  ::setenv("LTML_SERVER", "localhost:7", 1);
  EXPECT_EQ(server_of({.config = config, .server = {}}), "localhost:7");
  EXPECT_EQ(server_of({.config = config, .server = "unix:/other"}), "unix:/other");
  ::unsetenv("LTML_SERVER");
  ::setenv("LTML_CONFIG", config.c_str(), 1);
  EXPECT_EQ(server_of({}), Address());
  ::unsetenv("LTML_CONFIG");
  std::filesystem::create_directory(folder_.path() / "ltml");
  Write("ltml/client.toml", "server = \"unix:mine\"\ninsecure = true\n");
  EXPECT_EQ(server_of({}), "unix:" + (folder_.path() / "ltml/mine").string())
      << "the user's configuration folder";
}

TEST_F(ConnectionTest, WhatCannotWorkIsRefusedBeforeItConnects) {
  const auto fault = [](const ServerOptions& options) {
    return Connection::Open(options).status();
  };
  const absl::Status none = fault({.config = {}, .server = "node1:7610"});
  EXPECT_TRUE(absl::IsNotFound(none)) << none;
  EXPECT_THAT(Message(none), AllOf(HasSubstr("no client.toml for the server at node1:7610"),
                                   HasSubstr((folder_.path() / "ltml/client.toml").string())));
  EXPECT_TRUE(absl::IsInvalidArgument(fault({.config = {}, .server = "nonsense"})));
  EXPECT_TRUE(absl::IsNotFound(fault({.config = "/nowhere/client.toml", .server = {}})));
  const std::string no_token =
      Write("client.toml", "server = \"unix:s\"\ninsecure = true\ntoken_file = \"none\"\n");
  EXPECT_THAT(Message(fault({.config = no_token, .server = {}})), HasSubstr("/none"));
  Write("authority.pem", "no certificate");
  const std::string no_authority =
      Write("client.toml", "server = \"node1:7610\"\nauthority = \"authority.pem\"\n");
  EXPECT_THAT(Message(fault({.config = no_authority, .server = {}})),
              HasSubstr("the authority is no certificate in PEM form"));
}

TEST(JobName, TakesAnIdOrAName) {
  EXPECT_EQ(JobName("a"), "jobs/a");
  EXPECT_EQ(JobName("jobs/a"), "jobs/a");
}

}  // namespace
}  // namespace ltml::cli
