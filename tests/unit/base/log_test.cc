#include "common/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <atomic>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/base/log_fields.h"
#include "common/base/log_queue.h"
#include "tests/unit/page/markup.h"

namespace ltml::base {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;

// What `act` writes to stderr.
template <typename Act>
std::string Logged(const Act& act) {
  testing::internal::CaptureStderr();
  act();
  return testing::internal::GetCapturedStderr();
}

class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    SetLogLevel(LogLevel::kInfo);
    SetLogFormat(LogFormat::kText);
    SetLogContext("");
  }
};

TEST_F(LogTest, IsALineWithTimeLevelEventAndFields) {
  SetLogContext("rank=1");
  const std::string line =
      Logged([] { Log(LogLevel::kWarning, "disk_low", "free={} path={}", 7, LogValue("a b")); });
  EXPECT_THAT(line, MatchesRegex("20..-..-..T..:..:..\\....Z warning disk_low rank=1 free=7 "
                                 "path=\"a b\"\n"));
  EXPECT_THAT(Logged([] { Log(LogLevel::kInfo, "bare"); }), EndsWith("info bare rank=1\n"));
}

TEST_F(LogTest, LevelsChangeWhileItRuns) {
  const auto both = [] {
    Log(LogLevel::kDebug, "fine");
    Log(LogLevel::kError, "bad");
  };
  EXPECT_THAT(Logged(both), testing::Not(HasSubstr("fine")));
  SetLogLevel(LogLevel::kDebug);
  EXPECT_THAT(Logged(both), HasSubstr("fine"));
  SetLogLevel(LogLevel::kOff);
  EXPECT_EQ(Logged(both), "");
}

TEST_F(LogTest, JsonHoldsTheSame) {
  SetLogFormat(LogFormat::kJson);
  SetLogContext("job=a/b rank=1");
  const std::string line = Logged([] {
    Log(LogLevel::kError, "rank_failed", "step={} loss={} message={}", 12, 0.5,
        LogValue("it \"broke\" at C:\\x\n"));
  });
  simdjson::dom::parser parser;
  const simdjson::dom::element json = parser.parse(line);
  EXPECT_EQ(std::string_view(json["event"]), "rank_failed");
  EXPECT_EQ(std::string_view(json["level"]), "error");
  EXPECT_EQ(std::string_view(json["job"]), "a/b");
  EXPECT_EQ(int64_t(json["step"]), 12);
  EXPECT_EQ(double(json["loss"]), 0.5);
  EXPECT_EQ(std::string_view(json["message"]), "it \"broke\" at C:\\x\\x0a");
  EXPECT_THAT(std::string(std::string_view(json["time"])), MatchesRegex("20.*T.*Z"));
}

// Whatever a name holds: one line, nothing that acts on a terminal, and JSON stays JSON.
TEST_F(LogTest, NoNameBreaksALine) {
  simdjson::dom::parser parser;
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    SetLogFormat(format);
    for (const std::string& name : page::NastyNames()) {
      for (const std::string& field : {LogValue(name), name}) {
        const std::string line =
            Logged([&] { Log(LogLevel::kInfo, "class_seen", "class={} images=3", field); });
        EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << name;
        EXPECT_EQ(line.find_first_of("\x1b\x07\r"), std::string::npos) << name;
        if (format == LogFormat::kText) continue;
        simdjson::dom::element json;
        ASSERT_EQ(parser.parse(line).get(json), simdjson::SUCCESS) << line;
        EXPECT_EQ(std::string_view(json["event"]), "class_seen");
      }
    }
  }
}

TEST(LogFields, BecomeMembers) {
  EXPECT_EQ(FieldsAsJson(""), "");
  EXPECT_EQ(FieldsAsJson("a=1 b=-2.5 c=1e3"), "\"a\":1,\"b\":-2.5,\"c\":1e3");
  EXPECT_EQ(FieldsAsJson("a=007 b=1.2.3 c=nan d=0x1f e=1. f=.5 g=- h=inf"),
            "\"a\":\"007\",\"b\":\"1.2.3\",\"c\":\"nan\",\"d\":\"0x1f\",\"e\":\"1.\",\"f\":\".5\","
            "\"g\":\"-\",\"h\":\"inf\"");
  EXPECT_EQ(FieldsAsJson("a=\"1\" b="), "\"a\":\"1\",\"b\":\"\"");
  EXPECT_EQ(FieldsAsJson("a=\"x \\\"y\\\" \\\\z\""), "\"a\":\"x \\\"y\\\" \\\\z\"");
  EXPECT_EQ(FieldsAsJson("a=1 a=2 word \"two words\""),
            "\"a\":1,\"a_2\":2,\"text\":\"word\",\"text_2\":\"two words\"");
  EXPECT_EQ(FieldsAsJson("a=\"never ends"), "\"a\":\"never ends\"");
}

TEST(LogNames, OfLevelsAndFormats) {
  EXPECT_EQ(ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(ParseLogLevel("off"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel("WARNING"), std::nullopt);
  EXPECT_EQ(ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(ParseLogFormat(""), std::nullopt);
}

TEST(LogQueue, WritesInOrder) {
  std::string all;
  {
    LogQueue queue(
        [&all](const std::string& line) {
          all += line;
          return true;
        },
        1000);
    for (int i = 0; i < 500; ++i) queue.Push(std::to_string(i) + " ");
    EXPECT_TRUE(queue.Flush(std::chrono::seconds(10)));
    EXPECT_EQ(queue.dropped(), 0);
    queue.Push("end");
  }
  EXPECT_TRUE(all.starts_with("0 1 2 ")) << all;
  EXPECT_TRUE(all.ends_with("499 end")) << all;
}

TEST(LogQueue, AReaderThatStandsStillHoldsUpNobody) {
  // Outlives the thread that is left behind.
  static absl::Notification release;
  static std::atomic<int> written = 0;
  {
    LogQueue queue(
        [](const std::string&) {
          release.WaitForNotification();
          ++written;
          return true;
        },
        10);
    for (int i = 0; i < 100; ++i) queue.Push("line");
    EXPECT_FALSE(queue.Flush(std::chrono::milliseconds(10)));
    // One may be with the writer, ten wait.
    EXPECT_GE(queue.dropped(), 89);
    EXPECT_LE(queue.dropped(), 90);
  }
  release.Notify();
  for (int i = 0; i < 1000 && written < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_GE(written, 10);
}

TEST(LogQueue, CountsLinesThatCannotBeWritten) {
  LogQueue queue([](const std::string&) { return false; }, 10);
  queue.Push("a");
  queue.Push("b");
  EXPECT_TRUE(queue.Flush(std::chrono::seconds(10)));
  EXPECT_EQ(queue.dropped(), 2);
}

TEST_F(LogTest, BackgroundWritesAllAtItsEnd) {
  const std::string text = Logged([] {
    const BackgroundLog background;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 200; ++i) Log(LogLevel::kInfo, "line", "thread={} i={}", t, i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 800);
  EXPECT_EQ(DroppedLogLines(), 0);
}

}  // namespace
}  // namespace ltml::base
