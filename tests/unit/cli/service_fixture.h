#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "cli/connection.h"
#include "common/base/files.h"
#include "tests/unit/api/fixture.h"

namespace ltml::cli {

// The real API on a Unix socket before a FakeManager, and a client.toml for each of its users.
class ServiceTest : public coordinator::ApiTest {
 protected:
  ServiceTest() {
    for (const char* variable : {"LTML_CONFIG", "LTML_SERVER"}) ::unsetenv(variable);
    ::setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    manager_.Put(Job("jobs/a"));
  }

  std::string Address() const { return "unix:" + (folder_.path() / "socket").string(); }
  std::string Write(const std::string& name, const std::string& text) {
    const std::filesystem::path file = folder_.path() / name;
    EXPECT_TRUE(base::WriteFileAtomically(file, text).ok());
    return file.string();
  }
  ServerOptions OptionsOf(const std::string& user) {
    Write(user + ".token", user + "\n");
    return {.config = Write(user + ".toml",
                            "server = \"unix:socket\"\ninsecure = true\n"
                            "token_file = \"" +
                                user + ".token\"\n"),
            .server = {}};
  }
  std::shared_ptr<Connection> Connect(const std::string& user = "admin",
                                      const Patience& patience = {}) {
    auto connection = Connection::Open(OptionsOf(user), patience);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? *connection : nullptr;
  }
  // What Serve was called with at the start, on the same socket.
  void Restart() { Serve(10000, 100); }
};

}  // namespace ltml::cli
