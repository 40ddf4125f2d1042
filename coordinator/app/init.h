#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::coordinator {

struct InitOptions {
  std::filesystem::path folder;
  std::string listen = "127.0.0.1:7610";  // of a Unix socket absolute, as users' files name it too
  std::string http = "127.0.0.1:7611";    // as in ltmld.toml
  std::string advertise;                  // as in ltmld.toml
  std::string user;                       // the first one, an admin
  std::vector<std::string> data;          // data roots, absolute
  int slots = 1;                          // of the host "localhost"
  bool allow_root = false;
};

// Makes FOLDER (mode 0700) with ltmld.toml, tls/{authority,server}.{pem,key}, and the first user's
// users/NAME/, or leaves nothing.  All files have mode 0600.  AlreadyExists when there is something
// in the folder; InvalidArgument for an address or user name.
absl::Status InitServer(const InitOptions& options);

struct NewUser {
  std::string name;
  v1::ServerUser::Role role = v1::ServerUser::ROLE_SUBMITTER;
  bool token = false;  // a bearer token in place of a certificate
};

// Adds a user to ltmld.toml of `folder`, with users/NAME/ = client.toml, authority.pem, and either
// certificate.pem and key.pem, or token: all that the user needs, wherever the folder is copied to.
// A server that runs learns of it when it is started again.  AlreadyExists; InvalidArgument for the
// name; NotFound for no ltmld.toml.
absl::Status AddUser(const std::filesystem::path& folder, const NewUser& user);

// Makes the server's certificate and key anew, by the pool's authority and with the names that
// ltmld.toml tells, so that users and ranks go on trusting it.  A server that runs takes it when it
// is started again.  NotFound for no ltmld.toml or no key of the authority.
absl::Status RenewServer(const std::filesystem::path& folder);

}  // namespace ltml::coordinator
