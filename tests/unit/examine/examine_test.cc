#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/files.h"
#include "common/base/proto_time.h"
#include "common/base/version.h"
#include "common/examine/host.h"
#include "common/examine/network.h"
#include "common/examine/programs.h"
#include "common/examine/resources.h"

namespace ltml::examine {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kOk = v1::Finding::GRADE_OK;
constexpr auto kWarning = v1::Finding::GRADE_WARNING;
constexpr auto kFault = v1::Finding::GRADE_FAULT;

// A folder; and as PATH, programs that are shell scripts.
class ExamineTest : public ::testing::Test {
 protected:
  ExamineTest() { ::setenv("PATH", folder_.path().c_str(), 1); }
  ~ExamineTest() override { ::setenv("PATH", path_.c_str(), 1); }

  fs::path Script(const std::string& name, const std::string& text) {
    const fs::path file = folder_.path() / name;
    EXPECT_TRUE(base::WriteFileAtomically(file, "#!/bin/sh\n" + text + "\n").ok());
    fs::permissions(file, fs::perms::owner_all);
    return file;
  }

  const std::string path_ = std::getenv("PATH");
  base::PrivateFolder folder_ = *base::PrivateFolder::Create("examine-test");
};

TEST_F(ExamineTest, SpaceIsGradedByWhatIsFree) {
  EXPECT_EQ(CheckSpace("disk", folder_.path(), 0).grade(), kOk);
  const v1::Finding little = CheckSpace("disk", folder_.path(), 1e9);
  EXPECT_EQ(little.grade(), kWarning);
  EXPECT_EQ(little.subject(), "disk");
  EXPECT_THAT(little.text(), HasSubstr("GB free in " + folder_.path().string()));
  const v1::Finding none = CheckSpace("disk", folder_.path() / "none", 0);
  EXPECT_EQ(none.grade(), kFault);
  EXPECT_THAT(none.text(), HasSubstr("No such file"));
  EXPECT_NE(none.cure(), "");
}

TEST_F(ExamineTest, FoldersMustBeReadable) {
  EXPECT_EQ(CheckReadable("data", folder_.path()).grade(), kOk);
  const v1::Finding finding = CheckReadable("data", folder_.path() / "none");
  EXPECT_EQ(finding.grade(), kFault);
  EXPECT_THAT(finding.text(), HasSubstr("/none cannot be read: No such file"));
}

TEST_F(ExamineTest, AFolderIsSharedWhenItHasTheServersMarker) {
  const fs::path marker = folder_.path() / "marker";
  ASSERT_TRUE(base::WriteFileAtomically(marker, "text").ok());
  EXPECT_EQ(CheckShared(folder_.path(), marker, "text").grade(), kOk);
  const v1::Finding other = CheckShared(folder_.path(), marker, "another");
  EXPECT_EQ(other.grade(), kFault);
  EXPECT_THAT(other.text(), HasSubstr("another folder than the server's"));
  EXPECT_EQ(CheckShared(folder_.path() / "none", marker, "text").grade(), kFault);
}

TEST_F(ExamineTest, AMarkerThatIsLateIsWaitedFor) {
  const fs::path marker = folder_.path() / "marker";
  std::thread late([&] {
    std::this_thread::sleep_for(300ms);
    EXPECT_TRUE(base::WriteFileAtomically(marker, "text").ok());
  });
  EXPECT_EQ(CheckShared(folder_.path(), marker, "text").grade(), kOk);
  late.join();
}

TEST_F(ExamineTest, FewOpenFilesAreAWarning) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few{.rlim_cur = 256, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const v1::Finding finding = CheckOpenFiles();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(finding.grade(), kWarning);
  EXPECT_THAT(finding.text(), HasSubstr("256"));
  EXPECT_THAT(finding.cure(), HasSubstr("ulimit -n 1024"));
}

TEST_F(ExamineTest, InterfacesAreFoundByNameOrNetwork) {
  const auto check = [](std::vector<std::string> wanted) { return CheckInterfaces(wanted); };
  EXPECT_EQ(check({"lo"}).grade(), kOk);
  EXPECT_EQ(check({"lo", "127.0.0.0/8"}).grade(), kOk);
  const v1::Finding finding = check({"lo", "nope0"});
  EXPECT_EQ(finding.grade(), kFault);
  EXPECT_THAT(finding.text(), HasSubstr("no interface is nope0; there are: "));
  EXPECT_THAT(finding.cure(), HasSubstr("launch.interfaces"));
  EXPECT_EQ(check({"198.51.100.0/24"}).grade(), kFault);
  EXPECT_NE(check({}).grade(), kFault);
  EXPECT_EQ(CheckLoopback().grade(), kOk);
}

TEST_F(ExamineTest, AServerIsReachedOrNot) {
  const base::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(socket.number(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string text = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const v1::Finding closed = CheckConnection("server", text);
  EXPECT_EQ(closed.grade(), kFault);
  EXPECT_THAT(closed.text(), HasSubstr(text + " cannot be reached: Connection refused"));
  EXPECT_THAT(closed.cure(), HasSubstr("advertise"));
  ASSERT_EQ(::listen(socket.number(), 1), 0);
  EXPECT_EQ(CheckConnection("server", text).grade(), kOk);
  EXPECT_EQ(CheckConnection("server", "nonsense").grade(), kFault);
}

TEST_F(ExamineTest, AServerOnAUnixSocketIsReachedOrNot) {
  const std::string path = (folder_.path() / "socket").string();
  EXPECT_EQ(CheckConnection("server", "unix:" + path).grade(), kFault);
  const base::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket.number(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket.number(), 1), 0);
  EXPECT_EQ(CheckConnection("server", "unix:" + path).grade(), kOk);
}

TEST_F(ExamineTest, OpenMpiMustBeThereAndTheServers) {
  EXPECT_EQ(CheckOpenMpi("").grade(), kFault);
  Script("mpirun", "echo 'HYDRA build details:'");
  EXPECT_THAT(CheckOpenMpi("").text(), HasSubstr("is not Open MPI's"));
  // Debian's name for Open MPI's goes before.
  const fs::path own =
      Script("mpirun.openmpi", "echo 'mpirun.openmpi (OpenRTE) 4.1.4'; echo; echo bugs");
  EXPECT_THAT(CheckOpenMpi("").text(), HasSubstr("without orted"));
  Script("orted", "exit 0");
  EXPECT_EQ(OpenMpiVersion(), "4.1.4");
  fs::remove(own);
  Script("mpirun", "echo 'mpirun (Open MPI) 4.1.5'");
  EXPECT_EQ(OpenMpiVersion(), "4.1.5");
  Script("mpirun.openmpi", "echo 'mpirun.openmpi (OpenRTE) 4.1.4'");
  EXPECT_EQ(CheckOpenMpi("").text(), "Open MPI 4.1.4, " + own.string());
  EXPECT_EQ(CheckOpenMpi("4.1.4").grade(), kOk);
  const v1::Finding finding = CheckOpenMpi("4.1.5");
  EXPECT_EQ(finding.grade(), kFault);
  EXPECT_THAT(finding.text(), HasSubstr("4.1.4"));
  EXPECT_THAT(finding.text(), HasSubstr("the server has 4.1.5"));
}

TEST_F(ExamineTest, SshIsLookedForInPath) {
  EXPECT_EQ(CheckSsh().grade(), kWarning);
  const fs::path ssh = Script("ssh", "");
  EXPECT_EQ(CheckSsh().grade(), kOk);
  EXPECT_EQ(FindProgram("ssh"), ssh.string());
  fs::permissions(ssh, fs::perms::owner_read);
  EXPECT_EQ(CheckSsh().grade(), kWarning);
}

TEST_F(ExamineTest, ProgramsMustBeTogetherAndRun) {
  EXPECT_THAT(CheckPrograms(folder_.path()).text(), HasSubstr("no ltml-worker in "));
  Script("ltml-worker", "exit 0");
  EXPECT_THAT(CheckPrograms(folder_.path()).text(), HasSubstr("no ltml-supervisor in "));
  Script("ltml-supervisor", "exit 0");
  EXPECT_EQ(CheckPrograms(folder_.path()).grade(), kOk);
  Script("ltml-worker", "echo 'error while loading shared libraries: libx.so' >&2; exit 127");
  const v1::Finding finding = CheckPrograms(folder_.path());
  EXPECT_EQ(finding.grade(), kFault);
  EXPECT_THAT(finding.text(), HasSubstr("does not run: \"error while loading shared libraries"));
}

TEST_F(ExamineTest, AHostAnswersEveryPartOfTheQuestion) {
  v1::HostQuestion question;
  question.set_version("0.0.1");
  question.set_runs(folder_.path().string());
  question.add_data(folder_.path().string());
  question.add_data("/nowhere");
  question.set_server("unix:" + (folder_.path() / "none").string());
  question.set_marker("text");
  question.set_marker_file((folder_.path() / "marker").string());
  ASSERT_TRUE(base::WriteFileAtomically(question.marker_file(), "text").ok());
  const int64_t before = base::UnixMilliseconds();
  const v1::HostExamination answer = Examine(question);
  EXPECT_EQ(answer.version(), base::Version());
  EXPECT_GE(answer.unix_milliseconds(), before);
  EXPECT_LE(answer.unix_milliseconds(), base::UnixMilliseconds());
  std::vector<std::string> subjects, faults;
  for (const v1::Finding& finding : answer.findings()) {
    subjects.push_back(finding.subject());
    if (finding.grade() == kFault) faults.push_back(finding.subject() + " " + finding.text());
  }
  EXPECT_THAT(subjects, ElementsAre("ltml", "mpirun", "programs", "runs folder", "data", "data",
                                    "shared memory", "temporary folder", "disk", "limits",
                                    "processor", "network", "server"));
  EXPECT_THAT(faults,
              ElementsAre(HasSubstr("ltml " + base::Version() + "; the server has 0.0.1"),
                          HasSubstr("mpirun not in PATH"), HasSubstr("programs no ltml-"),
                          HasSubstr("data /nowhere cannot be read"), HasSubstr("server unix:")));
}

}  // namespace
}  // namespace ltml::examine
