#include "common/config/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/files.h"

namespace ltml::config {
namespace {

using ::testing::HasSubstr;

class ServerConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::PrivateFolder::Create("config-test");
    ASSERT_TRUE(folder.ok());
    folder_ = *std::move(folder);
    std::filesystem::create_directory(folder_.path() / "data");
    for (const char* name : {"certificate.pem", "key.pem", "authority.pem"}) Write(name, "PEM");
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() / name) << text;
  }
  absl::StatusOr<v1::ServerConfig> Read(const std::string& text) {
    Write("ltmld.toml", text);
    return ReadServerConfig(folder_.path() / "ltmld.toml");
  }
  std::string FaultOf(const std::string& text) {
    const auto config = Read(text);
    EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << config.status();
    return std::string(config.status().message());
  }

  static constexpr char kTls[] =
      "[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\nauthority = "
      "\"authority.pem\"\n";
  static constexpr char kRest[] =
      "[paths]\ndata = [\"data\"]\n[[hosts]]\nname = \"a\"\naddress = \"localhost\"\nslots = 4\n"
      "[[users]]\nname = \"ada\"\nrole = \"admin\"\n";

  base::PrivateFolder folder_;
};

TEST_F(ServerConfigTest, DefaultsAreFilledInAndPathsStartAtTheFolder) {
  const auto config = Read(std::string(kTls) + kRest);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen(), "127.0.0.1:7610");
  EXPECT_EQ(config->tls().key(), (folder_.path() / "key.pem").string());
  EXPECT_EQ(config->paths().store(), (folder_.path() / "store").string());
  ASSERT_EQ(config->paths().data_size(), 1);
  EXPECT_EQ(config->paths().data(0), (folder_.path() / "data").string());
  EXPECT_EQ(config->hosts(0).slots(), 4);
  EXPECT_EQ(config->hosts(0).device(), v1::Resources::DEVICE_CPU);
  EXPECT_EQ(config->users(0).role(), v1::ServerUser::ROLE_ADMIN);
  EXPECT_EQ(config->launch().agent(0), "ssh");
  EXPECT_EQ(config->launch().cooldown().seconds(), 60);
  EXPECT_EQ(config->limits().requests_per_second(), 200);
}

TEST_F(ServerConfigTest, PlaintextOffLoopbackIsRefused) {
  const std::string fault =
      FaultOf("listen = \"10.0.0.1:7610\"\ninsecure = true\n" + std::string(kRest));
  EXPECT_THAT(fault, HasSubstr("ltmld.toml:2: insecure: "));
  EXPECT_TRUE(Read("listen = \"unix:/tmp/s\"\ninsecure = true\n" + std::string(kRest)).ok());
}

TEST_F(ServerConfigTest, PagesOffLoopbackNeedTlsAndAToken) {
  const std::string rest = std::string(kTls) + kRest;
  const std::string off = "http = \"10.0.0.1:7611\"\n";
  EXPECT_EQ(Read(rest)->http(), "127.0.0.1:7611");
  EXPECT_TRUE(Read("http = \"\"\n" + rest).ok());
  EXPECT_TRUE(Read("http = \"localhost:7611\"\n" + rest).ok());
  EXPECT_THAT(FaultOf("http = \"[::1]:7611\"\n" + rest), HasSubstr("IPv4"));
  EXPECT_THAT(FaultOf("http = \"unix:/tmp/s\"\n" + rest), HasSubstr("http: got \"unix:/tmp/s\""));
  EXPECT_THAT(FaultOf(off + rest),
              HasSubstr("http: got \"10.0.0.1:7611\" and no user with a token"));
  const std::string token = "token_sha256 = \"" + std::string(64, 'a') + "\"\n";
  EXPECT_TRUE(Read(off + rest + token).ok());
  EXPECT_THAT(FaultOf(off + "insecure = true\n" + kRest + token), HasSubstr("plaintext"));
}

TEST_F(ServerConfigTest, TheLogHasALevelAndAFormat) {
  const std::string rest = std::string(kTls) + kRest;
  EXPECT_EQ(Read(rest)->log().level(), v1::ServerLog::LEVEL_INFO);
  const auto config = Read(rest + "[log]\nlevel = \"debug\"\nformat = \"json\"\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->log().level(), v1::ServerLog::LEVEL_DEBUG);
  EXPECT_EQ(config->log().format(), v1::ServerLog::FORMAT_JSON);
  EXPECT_THAT(FaultOf(rest + "[log]\nlevel = \"loud\"\n"), HasSubstr("log.level"));
}

TEST_F(ServerConfigTest, AllFaultsAreToldAtOnceWithTheirLines) {
  const std::string fault = FaultOf(
      "listen = \"nowhere\"\n"
      "[paths]\ndata = [\"missing\"]\n"
      "[launch]\ninterfaces = [\"--evil\"]\nenvironment = [\"LD_PRELOAD\", \"HOME\"]\n"
      "[[hosts]]\nname = \"a\"\nslots = 4\n"
      "[[hosts]]\nname = \"a\"\nslots = 0\nadress = \"b\"\n"
      "[[users]]\nname = \"x y\"\ntoken_sha256 = \"12\"\n");
  for (const char* part :
       {":1: listen: ", "tls.certificate: missing",
        ":3: paths.data[0]: ", ":5: launch.interfaces[0]: ", ":6: launch.environment[0]: ",
        "hosts[1].name: ", "hosts[1].slots: ", "hosts[1].adress: got an unknown key",
        "users[0].name: ", "users[0].token_sha256: "}) {
    EXPECT_THAT(fault, HasSubstr(part));
  }
  EXPECT_EQ(fault.find("environment[1]"), std::string::npos);
}

TEST_F(ServerConfigTest, AnyInterfaceNeedsAnAddressToTell) {
  EXPECT_THAT(FaultOf("listen = \"0.0.0.0:7610\"\n" + std::string(kTls) + kRest),
              HasSubstr("advertise"));
  EXPECT_TRUE(
      Read("listen = \"0.0.0.0:7610\"\nadvertise = \"head:7610\"\n" + std::string(kTls) + kRest)
          .ok());
}

TEST_F(ServerConfigTest, OtherHostsNeedAnAddressThatTheyReach) {
  const std::string other = std::string(kRest) + "[[hosts]]\nname = \"b\"\nslots = 1\n";
  EXPECT_THAT(FaultOf(kTls + other), HasSubstr("listen: got \"127.0.0.1:7610\""));
  EXPECT_TRUE(Read("advertise = \"head:7610\"\n" + std::string(kTls) + other).ok());
}

TEST_F(ServerConfigTest, SocketsStartAtTheFolder) {
  const std::string socket = "unix:" + (folder_.path() / "socket").string();
  const auto config =
      Read("listen = \"unix:socket\"\nadvertise = \"unix:./socket\"\ninsecure = true\n" +
           std::string(kRest));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen(), socket);
  EXPECT_EQ(config->advertise(), socket);
  EXPECT_EQ(Read("listen = \"unix:/run/s\"\ninsecure = true\n" + std::string(kRest))->listen(),
            "unix:/run/s");
  Write("client.toml", "server = \"unix:socket\"\ninsecure = true\n");
  EXPECT_EQ(ReadClientConfig(folder_.path() / "client.toml")->server(), socket);
}

TEST_F(ServerConfigTest, PathsOfSocketsThatTheKernelRefusesAreRefused) {
  const auto listen = [this](size_t bytes) {
    const std::string name(bytes - folder_.path().string().size() - 1, 's');
    return "listen = \"unix:" + name + "\"\ninsecure = true\n" + kRest;
  };
  EXPECT_TRUE(Read(listen(107)).ok());
  EXPECT_THAT(FaultOf(listen(108)), AllOf(HasSubstr("ltmld.toml:1: listen: got "),
                                          HasSubstr("108 bytes, expected at most 107")));
  Write("client.toml", "server = \"unix:/" + std::string(107, 's') + "\"\ninsecure = true\n");
  EXPECT_THAT(std::string(ReadClientConfig(folder_.path() / "client.toml").status().message()),
              HasSubstr("client.toml:1: server: got "));
}

TEST_F(ServerConfigTest, FoldersMustBeNamed) {
  const std::string fault = FaultOf(std::string(kTls) +
                                    "[paths]\nstore = \"\"\nruns = \"\"\ndata = [\"data\"]\n"
                                    "[[hosts]]\nname = \"localhost\"\nslots = 1\n"
                                    "[[users]]\nname = \"ada\"\n");
  EXPECT_THAT(fault, HasSubstr(":6: paths.store: got \"\", expected a folder, as in \"store\""));
  EXPECT_THAT(fault, HasSubstr(":7: paths.runs: got \"\", expected a folder, as in \"runs\""));
}

TEST_F(ServerConfigTest, InterfacesAreNamesOrIpv4Networks) {
  const auto with = [](const std::string& interface) {
    return std::string(kTls) + kRest + "[launch]\ninterfaces = [\"" + interface + "\"]\n";
  };
  for (const char* good : {"eth1", "10.0.0.0/8", "bond0.100"}) EXPECT_TRUE(Read(with(good)).ok());
  for (const char* bad : {"", "eth0@if3", "10.0.0.0/33", "....../8", "10.0.0/8", "fe80::/64",
                          "eth0,eth1", "a-name-that-is-too-long"}) {
    EXPECT_THAT(FaultOf(with(bad)), AllOf(HasSubstr("launch.interfaces[0]: got "),
                                          HasSubstr("expected the name of an interface or")))
        << bad;
  }
}

TEST_F(ServerConfigTest, AMissingFileNamesTheCure) {
  const auto config = ReadServerConfig(folder_.path() / "none.toml");
  EXPECT_TRUE(absl::IsNotFound(config.status()));
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("ltmld init"));
}

TEST_F(ServerConfigTest, ClientsNeedAnAuthorityAndWholePairs) {
  Write("client.toml", "server = \"head:7610\"\ncertificate = \"certificate.pem\"\n");
  const auto faulty = ReadClientConfig(folder_.path() / "client.toml");
  EXPECT_THAT(std::string(faulty.status().message()), HasSubstr("authority: missing"));
  EXPECT_THAT(std::string(faulty.status().message()), HasSubstr("key: missing"));
  Write("client.toml", "server = \"head:7610\"\nauthority = \"authority.pem\"\n");
  const auto client = ReadClientConfig(folder_.path() / "client.toml");
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(client->authority(), (folder_.path() / "authority.pem").string());
}

TEST(ServerReference, IsThePageInDocs) {
  const auto page = base::ReadFile(LTML_SOURCE_DIR "/docs/server-config.md");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(*page, ServerReference()) << "run: ltml schema --server-reference > "
                                         "docs/server-config.md";
}

}  // namespace
}  // namespace ltml::config
