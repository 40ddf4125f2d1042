#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/base/files.h"
#include "coordinator/security/audit_file.h"

namespace ltml::security {
namespace {

using ::testing::HasSubstr;

TEST(AuditFile, OneLineAnEntryForItsOwnerAlone) {
  const auto folder = base::PrivateFolder::Create("audit-test");
  ASSERT_TRUE(folder.ok());
  const auto file = folder->path() / "audit.jsonl";
  for (int times = 0; times < 2; ++times) {
    const auto log = OpenAuditFile(file);
    ASSERT_TRUE(log.ok()) << log.status();
    (*log)->Write({.request_id = "r",
                   .user = "ada\n{}",
                   .peer = "p",
                   .method = "JobService.Submit",
                   .subject = "",
                   .result = "OK",
                   .message = "\x1b[1m"});
  }
  const std::string text = *base::ReadFile(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr("\"user\":\"ada\\n{}\""));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST(AuditFile, AFullDiskDoesNotFail) {
  const auto log = OpenAuditFile("/dev/full");
  ASSERT_TRUE(log.ok()) << log.status();
  ::testing::internal::CaptureStderr();
  for (int times = 0; times < 3; ++times) (*log)->Write(AuditEntry());
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(told, HasSubstr("audit_not_written"));
  EXPECT_EQ(told.find("audit_not_written"), told.rfind("audit_not_written"));
}

}  // namespace
}  // namespace ltml::security
