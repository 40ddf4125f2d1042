#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::config {

// 1 to 64 letters, digits, '-', '_' and '.'.
bool IsUserName(const std::string& name);

// Reads ltmld.toml with every default filled in and paths made absolute, and checks it: addresses,
// a plaintext listener off loopback, names of hosts and users that repeat or are malformed,
// digests, data roots that are no folders.  InvalidArgument lists every fault at once, as
// ReadJobFile does.
absl::StatusOr<v1::ServerConfig> ReadServerConfig(const std::filesystem::path& file);

// Reads client.toml likewise.
absl::StatusOr<v1::ClientConfig> ReadClientConfig(const std::filesystem::path& file);

// docs/server-config.md: ltmld.toml and client.toml, one section a table, one row a key.
std::string ServerReference();

}  // namespace ltml::config
