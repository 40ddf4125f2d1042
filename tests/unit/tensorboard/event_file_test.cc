#include "common/tensorboard/event_file.h"

#include <gmock/gmock.h>

#include <cstring>
#include <string>
#include <vector>

#include "common/base/files.h"
#include "common/tensorboard/record.h"
#include "common/tensorboard/summary.h"

namespace ltml::tensorboard {
namespace {

using testing::HasSubstr;

constexpr EventFile::Time kNow{std::chrono::milliseconds(1767000000500)};

class EventFileTest : public testing::Test {
 protected:
  // The events of a file, whose framing must be that of Record.
  std::vector<Event> Read() const {
    const std::string content = *base::ReadFile(file_);
    std::vector<Event> events;
    for (size_t at = 0; at < content.size();) {
      uint64_t length = 0;
      std::memcpy(&length, content.data() + at, sizeof(length));
      const std::string data = content.substr(at + 12, length);
      EXPECT_EQ(content.substr(at, length + 16), Record(data));
      EXPECT_TRUE(events.emplace_back().ParseFromString(data));
      at += length + 16;
    }
    return events;
  }
  static Summary Loss(double value) {
    Summary summary;
    AddScalar("loss", value, summary);
    return summary;
  }
  base::PrivateFolder folder_ = *base::PrivateFolder::Create("events");
  std::filesystem::path file_ = EventFileOf(folder_.path(), 3);
};

TEST_F(EventFileTest, BeginsWithItsVersionAndWhatItMakesVoid) {
  ASSERT_TRUE(EventFile::Create(file_, 20, kNow).ok());
  const auto events = Read();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_DOUBLE_EQ(events[0].wall_time(), 1767000000.5);
  EXPECT_EQ(events[1].session_log().status(), SessionLog::START);
  EXPECT_EQ(events[1].step(), 21);
}

TEST_F(EventFileTest, CanBeReadWhileItIsWritten) {
  auto file = *EventFile::Create(file_, 0, kNow);
  ASSERT_TRUE(file.Append(Loss(0.5), 10, kNow).ok());
  const auto events = Read();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[2].step(), 10);
  EXPECT_EQ(events[2].summary().value(0).tag(), "loss");
  EXPECT_EQ(events[2].summary().value(0).simple_value(), 0.5f);
}

TEST_F(EventFileTest, NamesStandInTheOrderOfAttempts) {
  EXPECT_LT(EventFileOf("/run", 9).string(), EventFileOf("/run", 10).string());
  EXPECT_THAT(EventFileOf("/run", 9).string(), HasSubstr("tfevents"));
}

TEST_F(EventFileTest, SaysWhichFileCannotBeWrittenAndWhy) {
  const auto lost = EventFile::Create("/no/such/folder/events", 0, kNow);
  EXPECT_THAT(lost.status().message(),
              HasSubstr("cannot open '/no/such/folder/events': No such file or directory"));
  const auto full = EventFile::Create("/dev/full", 0, kNow);
  EXPECT_THAT(full.status().message(),
              HasSubstr("cannot write '/dev/full': No space left on device"));
}

}  // namespace
}  // namespace ltml::tensorboard
