#include "worker/train/device_mark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/train/fake_device.h"
#include "worker/model/torch_status.h"
#include "worker/train/stopwatch.h"

namespace ltml::train {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

class DeviceMarkTest : public testing::Test {
 protected:
  DeviceMarkTest() { device.Clear(); }
  FakeDevice& device = FakeDevice::Get();
};

TEST_F(DeviceMarkTest, IsAskedForUntilItIsPassed) {
  DeviceMark mark(FakeDevice::device());
  mark.Set();
  device.queries_until_done = 2;
  EXPECT_TRUE(mark.Await("the copy", seconds(20)).ok());
  EXPECT_THAT(device.log, ElementsAre("record 0", "query", "query", "query"));
}

TEST_F(DeviceMarkTest, AWaitHasADeadline) {
  DeviceMark mark(FakeDevice::device());
  mark.Set();
  device.queries_until_done = 1 << 30;
  const absl::Status status = mark.Await("the copy of the images", milliseconds(50));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("was not done with the copy of the images within 0.1 s"));
  EXPECT_EQ(AwaitDevice(FakeDevice::device(), "anything", milliseconds(50)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(DeviceMarkTest, OneThatWasNeverSetIsPassed) {
  const DeviceMark mark(FakeDevice::device());
  mark.HoldBack();
  device.queries_until_done = 1 << 30;
  EXPECT_TRUE(mark.Await("nothing", milliseconds(50)).ok());
  EXPECT_THAT(device.log, ElementsAre());
}

TEST_F(DeviceMarkTest, HoldsBackOneStreamForTheOther) {
  DeviceMark mark(FakeDevice::device());
  mark.Set(FakeDevice::StreamNumber(3));
  mark.HoldBack();
  mark.Set();
  mark.HoldBack(FakeDevice::StreamNumber(3));
  EXPECT_THAT(device.log, ElementsAre("record 3", "block 0", "record 0", "block 3"));
}

TEST_F(DeviceMarkTest, AFailedDeviceIsAnError) {
  DeviceMark mark(FakeDevice::device());
  mark.Set();
  device.failed = true;
  const absl::Status status = model::CatchTorch([&] { return mark.Await("it", seconds(20)); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the device has failed"));
}

TEST_F(DeviceMarkTest, AProcessorIsNeverWaitedFor) {
  DeviceMark mark(at::kCPU);
  mark.Set();
  mark.HoldBack();
  EXPECT_TRUE(mark.Await("nothing", milliseconds(0)).ok());
  EXPECT_EQ(mark.Since(mark).count(), 0);
}

TEST_F(DeviceMarkTest, TheStopwatchTakesTheTimeOfTheDevice) {
  Stopwatch watch(FakeDevice::device());
  watch.Stop();
  EXPECT_EQ(watch.Elapsed(), std::chrono::microseconds(1500));
  EXPECT_THAT(device.log, ElementsAre("record 0", "record 0", "query", "query"));
}

}  // namespace
}  // namespace ltml::train
