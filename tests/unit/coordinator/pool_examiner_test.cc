#include "coordinator/app/pool_examiner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/base/proto_json.h"
#include "common/rpc/details.h"

namespace ltml::coordinator {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kAsked = 1'000'000'000'000;

HostReply Reply() {
  HostReply reply;
  reply.host = "node1";
  reply.agent = {"ssh", "-o", "BatchMode=yes"};
  reply.supervisor = "/opt/ltml/ltml-supervisor";
  reply.asked_unix_milliseconds = kAsked;
  reply.answer.address = "10.0.0.7";
  reply.answer.time = 2s;
  return reply;
}

// A host that finds one thing, whose clock is `off` milliseconds from when it was asked.
HostReply Answer(int64_t off) {
  v1::HostExamination examination;
  examination.set_version("0.1.0");
  examination.set_unix_milliseconds(kAsked + off);
  v1::Finding& finding = *examination.add_findings();
  finding.set_grade(v1::Finding::GRADE_OK);
  finding.set_subject("mpirun");
  HostReply reply = Reply();
  reply.answer.output = *base::ToJson(examination, true) + "\n";
  return reply;
}

std::vector<std::string> Subjects(const std::vector<v1::Finding>& findings) {
  std::vector<std::string> subjects;
  for (const v1::Finding& finding : findings) subjects.push_back(finding.subject());
  return subjects;
}

TEST(FindingsOf, AHostThatAnswersTellsWhatItFound) {
  const auto findings = FindingsOf(Answer(1000));
  EXPECT_THAT(Subjects(findings), ElementsAre("agent", "mpirun", "clock"));
  for (const v1::Finding& finding : findings) {
    EXPECT_EQ(finding.host(), "node1");
    EXPECT_EQ(finding.grade(), v1::Finding::GRADE_OK) << finding.ShortDebugString();
  }
  EXPECT_EQ(findings[0].text(), "ssh answers in 2.0 s");
}

TEST(FindingsOf, WhatAShellPrintsBeforeTheAnswerIsSkipped) {
  HostReply reply = Answer(1000);
  reply.answer.output = "Welcome to node1!\n" + reply.answer.output + "\n\n";
  EXPECT_EQ(FindingsOf(reply).size(), 3u);
}

// The clock was read between 0 and 2 s after the question, so it is off by what lies outside.
TEST(FindingsOf, ClocksThatAreOffAreGraded) {
  const auto clock = [](int64_t off) { return FindingsOf(Answer(off)).back(); };
  EXPECT_EQ(clock(-5000).grade(), v1::Finding::GRADE_OK);
  EXPECT_EQ(clock(7000).grade(), v1::Finding::GRADE_OK);
  EXPECT_EQ(clock(-6000).grade(), v1::Finding::GRADE_WARNING);
  EXPECT_EQ(clock(-6000).text(), "6 s behind the server's");
  EXPECT_EQ(clock(12000).text(), "10 s ahead of the server's");
  EXPECT_EQ(clock(-301'000).grade(), v1::Finding::GRADE_FAULT);
  EXPECT_THAT(clock(400'000).text(), HasSubstr("certificates may not be valid"));
}

TEST(FindingsOf, AnAgentThatFailsIsQuotedWithTheCommandToTry) {
  HostReply reply = Reply();
  reply.answer.status = absl::UnavailableError("the launch agent ended with status 255");
  reply.answer.exit_status = 255;
  reply.answer.said = "Permission denied (publickey).\r\n";
  const auto findings = FindingsOf(reply);
  ASSERT_THAT(Subjects(findings), ElementsAre("agent"));
  EXPECT_EQ(findings[0].grade(), v1::Finding::GRADE_FAULT);
  EXPECT_EQ(findings[0].host(), "node1");
  EXPECT_THAT(findings[0].text(), HasSubstr("status 255: \"Permission denied (publickey)."));
  EXPECT_THAT(findings[0].cure(), HasSubstr("ssh -o BatchMode=yes -- 10.0.0.7 true"));
}

TEST(FindingsOf, ProgramsThatAreNotThereAreNamed) {
  HostReply reply = Reply();
  reply.answer.status = absl::UnavailableError("the launch agent ended with status 127");
  reply.answer.exit_status = 127;
  const auto findings = FindingsOf(reply);
  ASSERT_THAT(Subjects(findings), ElementsAre("programs"));
  EXPECT_THAT(findings[0].cure(), HasSubstr("/opt/ltml/ltml-supervisor"));
}

TEST(FindingsOf, AnAnswerThatIsNoneIsQuoted) {
  HostReply reply = Reply();
  reply.answer.output = "hello\n";
  EXPECT_THAT(FindingsOf(reply)[0].text(), HasSubstr("the answer is no examination: hello"));
}

class PoolExaminerTest : public ::testing::Test {
 protected:
  PoolExaminerTest() {
    ::setenv("LTML_BIN_DIR", LTML_BINARY_DIR "/bin", 1);
    config_.mutable_paths()->set_runs(folder_.path().string());
    config_.mutable_launch()->add_agent(Agent("exec sh -c \"$3\""));
    for (const auto& [name, address] : {std::pair("here", "localhost"), {"there", "192.0.2.77"}}) {
      v1::ServerHost& host = *config_.add_hosts();
      host.set_name(name);
      host.set_address(address);
    }
  }

  std::string Agent(const std::string& script) {
    const fs::path file = folder_.path() / "agent";
    EXPECT_TRUE(base::WriteFileAtomically(file, "#!/bin/sh\n" + script + "\n").ok());
    fs::permissions(file, fs::perms::owner_all);
    return file.string();
  }
  using Result = absl::StatusOr<v1::CheckHostsResponse>;
  static std::future<Result> Ask(PoolExaminer& examiner, const std::vector<std::string>& hosts) {
    v1::CheckHostsRequest request;
    request.mutable_hosts()->Assign(hosts.begin(), hosts.end());
    auto answer = std::make_shared<std::promise<Result>>();
    examiner.Examine(request, [answer](Result result) { answer->set_value(std::move(result)); });
    return answer->get_future();
  }
  static Result Wait(std::future<Result> answer) {
    return answer.wait_for(60s) == std::future_status::ready
               ? answer.get()
               : Result(absl::DeadlineExceededError("no answer to the test"));
  }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("examiner-test");
  v1::ServerConfig config_;
};

TEST_F(PoolExaminerTest, EveryHostIsExaminedByItsOwnSupervisor) {
  const auto examiner = PoolExaminer::Create(config_);
  examiner->SetAddress("unix:/nowhere");
  const Result result = Wait(Ask(*examiner, {}));
  ASSERT_TRUE(result.ok()) << result.status();
  for (const char* host : {"here", "there"}) {
    std::vector<std::string> fine;
    for (const v1::Finding& finding : result->findings()) {
      if (finding.host() == host && finding.grade() == v1::Finding::GRADE_OK) {
        fine.push_back(finding.subject());
      }
    }
    for (const char* subject : {"agent", "ltml", "runs folder", "clock"}) {
      EXPECT_THAT(fine, ::testing::Contains(subject)) << host;
    }
  }
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path().filename(), "agent") << "the marker is left";
  }
}

TEST_F(PoolExaminerTest, OneHostCanBeNamedAndMustBeThePools) {
  const auto examiner = PoolExaminer::Create(config_);
  const Result result = Wait(Ask(*examiner, {"there"}));
  ASSERT_TRUE(result.ok()) << result.status();
  for (const v1::Finding& finding : result->findings()) EXPECT_EQ(finding.host(), "there");
  EXPECT_TRUE(absl::IsNotFound(Wait(Ask(*examiner, {"nobody"})).status()));
}

TEST_F(PoolExaminerTest, OneExaminationAtATimeAndNoneAfterTheEnd) {
  Agent("sleep 100");
  const auto examiner = PoolExaminer::Create(config_);
  auto first = Ask(*examiner, {"there"});
  const Result second = Wait(Ask(*examiner, {"there"}));
  EXPECT_TRUE(absl::IsResourceExhausted(second.status())) << second.status();
  EXPECT_TRUE(rpc::RetryAfter(second.status()).has_value());
  examiner->End();
  EXPECT_TRUE(absl::IsUnavailable(Wait(std::move(first)).status()));
}

TEST_F(PoolExaminerTest, RunsThatCannotBeWrittenAreAnError) {
  config_.mutable_paths()->set_runs("/proc/nowhere");
  const auto examiner = PoolExaminer::Create(config_);
  const Result result = Wait(Ask(*examiner, {}));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("/proc/nowhere"));
}

}  // namespace
}  // namespace ltml::coordinator
