#include "worker/session/outbox.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ltml::session {
namespace {

v1::WorkerMessage Hello() {
  v1::WorkerMessage message;
  message.mutable_hello();
  return message;
}
v1::WorkerMessage Report(int64_t window) {
  v1::WorkerMessage message;
  message.mutable_window_report()->set_window(window);
  return message;
}
v1::WorkerMessage Metrics(int64_t step) {
  v1::WorkerMessage message;
  message.mutable_progress()->mutable_metrics()->set_step(step);
  return message;
}
v1::WorkerMessage Heartbeat() {
  v1::WorkerMessage message;
  message.mutable_progress()->set_step(1);
  return message;
}

std::string Name(const v1::WorkerMessage& message) {
  if (message.has_hello()) return "hello";
  if (message.has_window_report()) {
    return "window " + std::to_string(message.window_report().window());
  }
  if (!message.progress().has_metrics()) return "heartbeat";
  return "step " + std::to_string(message.progress().metrics().step());
}

std::vector<std::string> Drain(Outbox& outbox) {
  std::vector<std::string> names;
  while (auto message = outbox.Pop()) names.push_back(Name(*message));
  return names;
}

using Names = std::vector<std::string>;

TEST(Outbox, WritesInOrder) {
  Outbox outbox;
  outbox.Restart(Hello());
  outbox.Push(Metrics(1));
  outbox.PushReport(Report(0));
  outbox.Push(Metrics(2));
  EXPECT_EQ(Drain(outbox), (Names{"hello", "step 1", "window 0", "step 2"}));
  EXPECT_TRUE(outbox.empty());
}

TEST(Outbox, RepeatsWhatMayNotHaveArrived) {
  Outbox outbox;
  outbox.Restart(Hello());
  outbox.PushReport(Report(0));
  outbox.PushReport(Report(1));
  outbox.Push(Metrics(1));
  outbox.Push(Heartbeat());
  Drain(outbox);
  outbox.Acknowledge(0);
  outbox.PushReport(Report(2));
  outbox.Push(Metrics(2));
  outbox.Restart(Hello());
  EXPECT_EQ(Drain(outbox), (Names{"hello", "window 1", "window 2", "step 1", "step 2"}));
  EXPECT_EQ(outbox.unacknowledged_reports(), 2u);
}

TEST(Outbox, SurvivesTwoBreaksInARow) {
  Outbox outbox;
  outbox.Restart(Hello());
  for (int64_t step = 0; step < 3; ++step) outbox.Push(Metrics(step));
  outbox.Pop();
  outbox.Pop();
  outbox.Restart(Hello());
  outbox.Pop();
  outbox.Restart(Hello());
  EXPECT_EQ(Drain(outbox), (Names{"hello", "step 0", "step 1", "step 2"}));
}

TEST(Outbox, KeepsABoundedNumberOfWrittenMessages) {
  Outbox outbox;
  const int64_t count = static_cast<int64_t>(Outbox::kKept) + 10;
  for (int64_t step = 0; step < count; ++step) outbox.Push(Metrics(step));
  Drain(outbox);
  outbox.Restart(Hello());
  const Names names = Drain(outbox);
  ASSERT_EQ(names.size(), Outbox::kKept + 1);
  EXPECT_EQ(names[1], "step 10");
}

}  // namespace
}  // namespace ltml::session
