#include "coordinator/rpc/log_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <random>
#include <set>
#include <thread>

#include "common/base/files.h"
#include "coordinator/launch/capped_log.h"
#include "coordinator/rpc/log_position.h"

namespace ltml::coordinator {
namespace {

// Numbered lines of random lengths.
class Lines {
 public:
  explicit Lines(uint64_t seed) : random_(seed) {}
  std::string Next() {
    std::string line = fmt::format("line {} ", next_++);
    line.append(std::uniform_int_distribution<int>(0, 300)(random_), 'x');
    sizes_.push_back(std::ssize(line) + 1);
    return line + "\n";
  }
  int64_t count() const { return next_; }
  // Bytes of lines [first, last).
  int64_t Bytes(int64_t first, int64_t last) const {
    int64_t bytes = 0;
    for (int64_t i = first; i < last; ++i) bytes += sizes_[i];
    return bytes;
  }
  std::mt19937_64& random() { return random_; }

 private:
  std::mt19937_64 random_;
  int64_t next_ = 0;
  std::vector<int64_t> sizes_;
};

// Checks that pieces are whole lines in order, without one repeated, and that each hole has just as
// many bytes as the pieces say.
class Checker {
 public:
  void Take(const LogPiece& piece, int64_t asked) {
    ASSERT_EQ(piece.next_offset, asked + piece.left_out_bytes + std::ssize(piece.text));
    ASSERT_LE(std::ssize(piece.text), kLogChunkBytes);
    left_out_ += piece.left_out_bytes;
    size_t start = 0;
    while (start < piece.text.size()) {
      const size_t end = piece.text.find('\n', start);
      ASSERT_NE(end, std::string::npos) << "an unfinished line";
      numbers_.push_back(NumberOf(piece.text.substr(start, end - start)));
      start = end + 1;
    }
  }

  void Finish(const Lines& lines) const {
    int64_t expected = 0;
    int64_t missing = 0;
    for (const int64_t number : numbers_) {
      ASSERT_GE(number, expected) << "line " << number << " came twice, or before an earlier one";
      missing += lines.Bytes(expected, number);
      expected = number + 1;
    }
    EXPECT_EQ(expected, lines.count()) << "the end is missing";
    EXPECT_EQ(missing, left_out_);
  }
  int64_t left_out() const { return left_out_; }

 private:
  static int64_t NumberOf(const std::string& line) {
    int64_t number = -1;
    EXPECT_EQ(std::sscanf(line.c_str(), "line %ld ", &number), 1) << line;
    return number;
  }
  std::vector<int64_t> numbers_;
  int64_t left_out_ = 0;
};

class LogReaderTest : public ::testing::Test {
 protected:
  std::optional<LogPiece> Read(int64_t offset, bool whole) {
    return *LogReader(folder_.path(), "a/rank-0.log").Read(offset, whole);
  }
  void ReadAll(int64_t& offset, bool whole, Checker& checker) {
    while (auto piece = Read(offset, whole)) {
      checker.Take(*piece, offset);
      offset = piece->next_offset;
    }
  }
  void SetUp() override { std::filesystem::create_directory(folder_.path() / "a"); }

  base::PrivateFolder folder_ = *base::PrivateFolder::Create("ltml-log");
  std::filesystem::path file_ = folder_.path() / "a/rank-0.log";
};

TEST_F(LogReaderTest, AMissingLogIsEmpty) { EXPECT_FALSE(Read(0, true).has_value()); }

TEST_F(LogReaderTest, AnUnfinishedLineWaitsForItsEnd) {
  launch::CappedLog log(file_);
  log.Append("one\ntw");
  EXPECT_EQ(Read(0, false)->text, "one\n");
  EXPECT_FALSE(Read(4, false).has_value());
  EXPECT_EQ(Read(4, true)->text, "tw");
  log.Append("o\n");
  EXPECT_EQ(Read(4, false)->text, "two\n");
}

TEST_F(LogReaderTest, AnEndlessLineIsToldInParts) {
  launch::CappedLog log(file_);
  log.Append(std::string(kLogChunkBytes + 10, 'x'));
  const auto piece = Read(0, false);
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(std::ssize(piece->text), kLogChunkBytes);
}

TEST_F(LogReaderTest, LinksAreNotFollowed) {
  std::ofstream(folder_.path() / "secret") << "secret\n";
  std::filesystem::create_symlink(folder_.path() / "secret", file_);
  const LogReader file(folder_.path(), "a/rank-0.log");
  EXPECT_TRUE(absl::IsFailedPrecondition(file.Read(0, true).status()));
  std::filesystem::create_directory(folder_.path() / "b");
  std::ofstream(folder_.path() / "b/rank-0.log") << "secret\n";
  std::filesystem::create_directory_symlink(folder_.path() / "b", folder_.path() / "c");
  const LogReader in_link(folder_.path(), "c/rank-0.log");
  EXPECT_TRUE(absl::IsFailedPrecondition(in_link.Read(0, true).status()));
}

TEST_F(LogReaderTest, ReadAfterwardsTheMiddleIsCounted) {
  Lines lines(1);
  launch::CappedLog log(file_);
  for (int i = 0; i < 5000; ++i) log.Append(lines.Next());
  log.Close();
  Checker checker;
  int64_t offset = 0;
  ReadAll(offset, true, checker);
  checker.Finish(lines);
  EXPECT_GT(checker.left_out(), 0);
}

// Any reader, however it is held up and wherever it goes on, loses only what it is told.
TEST_F(LogReaderTest, AReaderThatFollowsAtRandomLosesOnlyWhatItIsTold) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Lines lines(seed);
    Checker checker;
    int64_t offset = 0;
    std::filesystem::remove(file_);
    launch::CappedLog log(file_);
    std::string rest;
    for (int round = 0; round < 60; ++round) {
      const int count = std::uniform_int_distribution<int>(0, 1200)(lines.random());
      for (int i = 0; i < count; ++i) rest += lines.Next();
      // Writes do not end at lines.
      const size_t cut = std::uniform_int_distribution<size_t>(0, rest.size())(lines.random());
      log.Append(rest.substr(0, cut));
      rest.erase(0, cut);
      if (std::bernoulli_distribution(0.5)(lines.random())) ReadAll(offset, false, checker);
    }
    log.Append(rest);
    log.Close();
    ReadAll(offset, true, checker);
    checker.Finish(lines);
  }
}

TEST_F(LogReaderTest, AReaderBesideTheWriterLosesOnlyWhatItIsTold) {
  Lines lines(7);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    launch::CappedLog log(file_);
    for (int i = 0; i < 100000; ++i) log.Append(lines.Next());
    log.Close();
    done = true;
  });
  Checker checker;
  int64_t offset = 0;
  while (!done) ReadAll(offset, false, checker);
  writer.join();
  ReadAll(offset, true, checker);
  checker.Finish(lines);
}

TEST(LogPositionTest, ComesBackAsItWas) {
  const LogPosition position{
      .job = "jobs/a", .attempt_epoch = 3, .offsets = {{-1, 7}, {0, 1L << 40}}};
  const auto back = FromToken(ToToken(position), "jobs/a");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->attempt_epoch, 3);
  EXPECT_EQ(back->offsets, position.offsets);
}

TEST(LogPositionTest, OthersAndDamagedOnesAreRefused) {
  const std::string token = ToToken({.job = "jobs/a", .attempt_epoch = 3, .offsets = {{0, 9}}});
  EXPECT_TRUE(absl::IsInvalidArgument(FromToken(token, "jobs/b").status()));
  for (size_t i = 0; i < token.size(); ++i) {
    std::string damaged = token;
    damaged[i] = damaged[i] == 'Q' ? 'R' : 'Q';
    if (damaged == token) continue;
    const auto read = FromToken(damaged, "jobs/a");
    // The last letters may hold bits that mean nothing.
    if (read.ok()) {
      EXPECT_EQ(read->offsets.at(0), 9);
    }
  }
  EXPECT_TRUE(absl::IsInvalidArgument(FromToken("", "jobs/a").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FromToken("!", "jobs/a").status()));
}

}  // namespace
}  // namespace ltml::coordinator
