#include <gtest/gtest.h>

#include <string>

#include "coordinator/rpc/command_queue.h"
#include "coordinator/rpc/journal_queue.h"
#include "coordinator/rpc/ordered_calls.h"

namespace ltml::coordinator {
namespace {

v1::JournalEntry Window(int64_t window) {
  v1::JournalEntry entry;
  entry.mutable_window()->set_window(window);
  return entry;
}

v1::JournalEntry Finished(int rank) {
  v1::JournalEntry entry;
  entry.mutable_finished()->set_rank(rank);
  return entry;
}

std::vector<int64_t> Ids(const std::vector<JournalQueue::Due>& due) {
  std::vector<int64_t> ids;
  for (const JournalQueue::Due& one : due) ids.push_back(one.id);
  return ids;
}

using Numbers = std::vector<int64_t>;

TEST(JournalQueue, WindowsGoOneAtATimeAndFinishesTogether) {
  JournalQueue queue;
  for (int64_t w : {0, 1}) queue.Add(Window(w));
  for (int rank : {0, 1}) queue.Add(Finished(rank));
  queue.Add(Window(2));
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{1});
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{});
  queue.Done(1);
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{2});
  queue.Done(2);
  EXPECT_EQ(Ids(queue.TakeDue()), (Numbers{3, 4}));
  queue.Done(4);
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{});
  queue.Done(3);
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{5});
  queue.Done(5);
  EXPECT_TRUE(queue.empty());
}

TEST(JournalQueue, WhatFailedGoesAgainBeforeWhatFollows) {
  JournalQueue queue;
  for (int64_t w : {0, 1}) queue.Add(Window(w));
  queue.TakeDue();
  queue.Failed(1);
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{});
  queue.Retry();
  EXPECT_EQ(Ids(queue.TakeDue()), Numbers{1});
}

TEST(JournalQueue, ActsWaitForAllThatWasAddedBeforeThem) {
  JournalQueue queue;
  std::string acts;
  const auto run = [&](const std::vector<std::function<void()>>& ready) {
    for (const auto& act : ready) act();
  };
  queue.Add(Finished(0));
  queue.Wait([&] { acts += 'a'; });
  queue.Add(Finished(1));
  queue.Wait([&] { acts += 'b'; });
  queue.TakeDue();
  run(queue.Done(2));
  EXPECT_EQ(acts, "");
  run(queue.Done(1));
  EXPECT_EQ(acts, "ab");
}

TEST(CommandQueue, NumbersGoOnAfterWhatTheRankHas) {
  CommandQueue queue;
  queue.Add(v1::Command::KIND_CHECKPOINT);
  EXPECT_TRUE(queue.Pending().empty());
  EXPECT_TRUE(queue.OnHello(41).ok());
  queue.Add(v1::Command::KIND_STOP);
  ASSERT_EQ(queue.Pending().size(), 2u);
  EXPECT_EQ(queue.Pending()[0].id(), 42);
  EXPECT_EQ(queue.Pending()[1].id(), 43);
  EXPECT_FALSE(queue.Acknowledge(44).ok());
  EXPECT_TRUE(queue.Acknowledge(42).ok());
  EXPECT_EQ(queue.Pending()[0].id(), 43);
  EXPECT_TRUE(queue.Acknowledge(0).ok());
  EXPECT_EQ(queue.Pending().size(), 1u);
  EXPECT_FALSE(CommandQueue().OnHello(int64_t{1} << 62).ok());
}

TEST(OrderedCalls, CallsThatAddCallsStayInOrder) {
  OrderedCalls calls;
  std::string order;
  calls.Add([&] {
    calls.Add([&] { order += 'c'; });
    calls.Run();
    order += 'a';
  });
  calls.Add([&] { order += 'b'; });
  calls.Run();
  EXPECT_EQ(order, "abc");
  calls.Add([&] { order += 'd'; });
  calls.Close();
  calls.Add([&] { order += 'e'; });
  calls.Run();
  EXPECT_EQ(order, "abc");
}

}  // namespace
}  // namespace ltml::coordinator
