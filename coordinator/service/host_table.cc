#include "coordinator/service/host_table.h"

#include <algorithm>

namespace ltml::service {

HostTable::HostTable(const v1::ServerConfig& config, const std::vector<v1::HostRecord>& records) {
  for (const auto& host : config.hosts()) {
    Entry& entry = entries_.emplace_back();
    entry.config = host;
    if (host.address().empty()) entry.config.set_address(host.name());
    entry.record.set_name(host.name());
  }
  for (const auto& record : records) Set(record);
}

HostTable::Entry* HostTable::Find(const std::string& host) {
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.config.name() == host; });
  return found == entries_.end() ? nullptr : &*found;
}

const HostTable::Entry* HostTable::Find(const std::string& host) const {
  return const_cast<HostTable*>(this)->Find(host);
}

void HostTable::TakeDevices(Entry& entry, v1::Placement& placement) {
  if (placement.devices().empty() && entry.config.device() == v1::Resources::DEVICE_CUDA) {
    for (int device = 0; placement.devices_size() < placement.slots(); ++device) {
      if (!entry.devices.contains(device)) placement.add_devices(device);
    }
  }
  entry.devices.insert(placement.devices().begin(), placement.devices().end());
}

void HostTable::Take(const std::string& job, jobs::Placements& placements) {
  for (auto& placement : placements) {
    Entry* entry = Find(placement.host());
    if (entry == nullptr) {
      entry = &entries_.emplace_back();
      entry->configured = false;
      entry->config.set_name(placement.host());
      entry->config.set_address(placement.host());
      entry->record.set_name(placement.host());
      entry->record.set_note("no longer in the configuration");
    }
    entry->used += placement.slots();
    TakeDevices(*entry, placement);
    if (!entry->configured) entry->config.set_slots(std::max(entry->config.slots(), entry->used));
    entry->jobs.insert(job);
  }
}

void HostTable::GiveBack(const std::string& job, const jobs::Placements& placements) {
  for (const auto& placement : placements) {
    Entry* entry = Find(placement.host());
    if (entry == nullptr) continue;
    entry->used -= placement.slots();
    for (const int device : placement.devices()) entry->devices.erase(device);
    const auto found = entry->jobs.find(job);
    if (found != entry->jobs.end()) entry->jobs.erase(found);
  }
  std::erase_if(entries_, [](const Entry& entry) { return !entry.configured && entry.used == 0; });
}

bool HostTable::Has(const std::string& host) const { return Find(host) != nullptr; }

v1::HostRecord HostTable::Record(const std::string& host) const { return Find(host)->record; }

void HostTable::Set(const v1::HostRecord& record) {
  Entry* entry = Find(record.name());
  if (entry != nullptr) entry->record = record;
}

bool HostTable::Usable(const Entry& entry, UtcTime now) {
  return entry.configured && !entry.record.drained() &&
         FromTimestamp(entry.record.cooldown_end()) <= now;
}

std::vector<jobs::HostSlots> HostTable::Slots(UtcTime now) const {
  std::vector<jobs::HostSlots> result;
  for (const Entry& entry : entries_) {
    if (!entry.configured) continue;
    result.push_back({.name = entry.config.name(),
                      .slots = entry.config.slots(),
                      .free = entry.config.slots() - entry.used,
                      .device = entry.config.device(),
                      .usable = Usable(entry, now)});
  }
  return result;
}

std::vector<jobs::HostSlots> HostTable::Capacity() const {
  auto result = Slots(UtcTime::max());
  for (auto& host : result) host.free = host.slots;
  return result;
}

v1::Host HostTable::ToHost(const Entry& entry, UtcTime now) {
  v1::Host host;
  host.set_name(entry.config.name());
  host.set_address(entry.config.address());
  host.set_slots(entry.config.slots());
  host.set_used_slots(entry.used);
  host.set_device(entry.config.device());
  host.set_note(entry.record.note());
  for (const auto& job : entry.jobs) host.add_jobs(job);
  if (entry.record.drained() || !entry.configured) {
    host.set_state(entry.used > 0 ? v1::Host::STATE_DRAINING : v1::Host::STATE_DRAINED);
  } else if (!Usable(entry, now)) {
    host.set_state(v1::Host::STATE_COOLDOWN);
    *host.mutable_cooldown_end() = entry.record.cooldown_end();
  } else {
    host.set_state(v1::Host::STATE_READY);
  }
  return host;
}

std::vector<v1::Host> HostTable::Hosts(UtcTime now) const {
  std::vector<v1::Host> result;
  for (const Entry& entry : entries_) result.push_back(ToHost(entry, now));
  return result;
}

v1::Host HostTable::Host(const std::string& name, UtcTime now) const {
  return ToHost(*Find(name), now);
}

bool HostTable::CooldownEnded(UtcTime before, UtcTime now) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    const auto end = FromTimestamp(entry.record.cooldown_end());
    return end > before && end <= now;
  });
}

}  // namespace ltml::service
