#pragma once

#include <set>
#include <string>
#include <vector>

#include "coordinator/jobs/placement.h"
#include "coordinator/service/utc_time.h"
#include "ltml/v1/pool_service.pb.h"
#include "ltml/v1/server_config.pb.h"
#include "ltml/v1/store.pb.h"

namespace ltml::service {

// The pool: hosts of the configuration, what is drained or cools down, and who holds slots.  A host
// that is no longer configured but held by an adopted attempt stays until that ends.
class HostTable {
 public:
  HostTable(const v1::ServerConfig& config, const std::vector<v1::HostRecord>& records);

  // Writes into placements on GPU hosts which GPUs they get, the lowest free numbers, unless they
  // say so already.
  void Take(const std::string& job, jobs::Placements& placements);
  void GiveBack(const std::string& job, const jobs::Placements& placements);

  bool Has(const std::string& host) const;
  v1::HostRecord Record(const std::string& host) const;
  void Set(const v1::HostRecord& record);
  // Usable ones as of `now`.
  std::vector<jobs::HostSlots> Slots(UtcTime now) const;
  // Configured ones without regard to what is drained or held.
  std::vector<jobs::HostSlots> Capacity() const;
  std::vector<v1::Host> Hosts(UtcTime now) const;
  v1::Host Host(const std::string& name, UtcTime now) const;
  // Does a cooldown end in (before, now]?
  bool CooldownEnded(UtcTime before, UtcTime now) const;

 private:
  struct Entry {
    v1::ServerHost config;
    bool configured = true;
    v1::HostRecord record;
    int used = 0;
    std::set<int> devices;  // GPUs held
    std::multiset<std::string> jobs;
  };
  Entry* Find(const std::string& host);
  const Entry* Find(const std::string& host) const;
  static void TakeDevices(Entry& entry, v1::Placement& placement);
  static v1::Host ToHost(const Entry& entry, UtcTime now);
  static bool Usable(const Entry& entry, UtcTime now);

  std::vector<Entry> entries_;
};

}  // namespace ltml::service
