#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/launch/remote_run.h"
#include "coordinator/rpc/host_examiner.h"
#include "ltml/v1/server_config.pb.h"

namespace ltml::coordinator {

// Examines the configured hosts: brings `ltml-supervisor --examine` to all at once, through the
// launch agent as attempts go, and waits for their answers for 20 s.
class PoolExaminer : public HostExaminer {
 public:
  static std::unique_ptr<PoolExaminer> Create(const v1::ServerConfig& config);
  // Where ranks find the server.  To be called before the first Examine.
  virtual void SetAddress(const std::string& address) = 0;
  // Gives up the examination under way and every one that is asked for later: Unavailable.
  virtual void End() = 0;
};

// How one host answered.
struct HostReply {
  std::string host;  // its name
  bool remote = true;
  std::vector<std::string> agent;
  std::string supervisor;  // the program that was called there
  int64_t asked_unix_milliseconds = 0;
  launch::HostAnswer answer;
};

// What it comes to: what the host found, or why nothing is known of it, and how far its clock is
// off.  Pure.
std::vector<v1::Finding> FindingsOf(const HostReply& reply);

}  // namespace ltml::coordinator
