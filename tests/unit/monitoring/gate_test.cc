#include "coordinator/monitoring/gate.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "common/base/token_digest.h"

namespace ltml::monitoring {
namespace {

security::Directory DirectoryWith(const std::string& token) {
  v1::ServerConfig config;
  v1::ServerUser& user = *config.add_users();
  user.set_name("vera");
  user.set_role(v1::ServerUser::ROLE_VIEWER);
  user.set_token_sha256(absl::BytesToHexString(base::TokenDigest(token)));
  auto directory = security::Directory::Create(config);
  EXPECT_TRUE(directory.ok()) << directory.status();
  return *std::move(directory);
}

int StatusOf(const Gate& gate, const HttpRequest& request) {
  const auto refusal = gate.Refuse(request);
  return refusal ? refusal->status : 200;
}

TEST(Gate, OnLoopbackTheNameMustBeALoopbackOne) {
  const security::Directory directory = DirectoryWith("secret");
  const Gate gate(directory, true);
  for (const char* host :
       {"localhost", "localhost:7611", "127.0.0.1:7611", "127.0.0.1", "[::1]:80"}) {
    EXPECT_EQ(StatusOf(gate, {.host = host}), 200) << host;
  }
  for (const char* host : {"", "evil.example", "evil.example:7611", "127.0.0.1.evil.example",
                           "10.0.0.1:7611", "unix:/tmp/s", "localhost.evil.example"}) {
    EXPECT_EQ(StatusOf(gate, {.host = host}), 403) << host;
  }
}

TEST(Gate, ElsewhereATokenIsNeeded) {
  const security::Directory directory = DirectoryWith("secret");
  const Gate gate(directory, false);
  const auto with = [&](const std::string& authorization) {
    return StatusOf(gate, {.host = "head", .authorization = authorization});
  };
  const auto basic = [](const std::string& pair) { return "Basic " + absl::Base64Escape(pair); };
  for (const std::string& right : {std::string("Bearer secret"), std::string("bearer secret"),
                                   basic("vera:secret"), basic(":secret")}) {
    EXPECT_EQ(with(right), 200) << right;
  }
  for (const std::string& wrong :
       {std::string(), std::string("Bearer"), std::string("Bearer "), std::string("Bearer other"),
        std::string("secret"), std::string("Basic ?"), basic("vera"), basic("ada:secret"),
        basic("vera:other"), std::string("Digest secret")}) {
    EXPECT_EQ(with(wrong), 401) << wrong;
  }
  EXPECT_TRUE(gate.Refuse({.host = "head"})->challenge);
}

TEST(ParseQuery, TakesNamesAndValuesApart) {
  EXPECT_EQ(ParseQuery("a=1&b=x%20y+z&c&d=%&a=2&=&%41=%4"),
            (std::map<std::string, std::string>{
                {"a", "2"}, {"b", "x y z"}, {"c", ""}, {"d", "%"}, {"", ""}, {"A", "%4"}}));
  EXPECT_TRUE(ParseQuery("").empty());
}

}  // namespace
}  // namespace ltml::monitoring
