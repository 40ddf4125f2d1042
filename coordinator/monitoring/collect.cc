#include "coordinator/monitoring/collect.h"

#include <algorithm>
#include <utility>

#include "coordinator/monitoring/collect_parts.h"

namespace ltml::monitoring {
namespace {

void AddProcess(const ServerFacts& server, Families& families) {
  families.Add(kBuildInfo, {server.version}, 1);
  families.Add(kProcessStart, {}, server.start_seconds);
  families.Add(kProcessCpu, {}, server.cpu_seconds);
  families.Add(kProcessMemory, {}, server.resident_bytes);
  families.Add(kProcessFiles, {}, static_cast<double>(server.open_files));
  families.Add(kLogLinesDropped, {}, static_cast<double>(server.log_lines_dropped));
  families.Add(kStoreCommit, {}, server.commits);
  families.Add(kStoreErrors, {}, static_cast<double>(server.store_errors));
  for (const Disk& disk : server.disks) {
    families.Add(kDiskSize, {disk.folder}, disk.size_bytes);
    families.Add(kDiskFree, {disk.folder}, disk.free_bytes);
  }
  for (const CallCounts& calls : server.calls) {
    for (const auto& [code, count] : calls.by_code) {
      families.Add(kGrpcHandled, {calls.service, calls.method, code}, static_cast<double>(count));
    }
    families.Add(kGrpcHandling, {calls.service, calls.method}, calls.durations);
  }
}

}  // namespace

void AddServer(const Snapshot& snapshot, Families& families) {
  AddProcess(snapshot.server, families);
  const service::Observation& seen = snapshot.service;
  for (int i = v1::JOB_STATE_QUEUED; i < v1::JobState_ARRAYSIZE; ++i) {
    const auto state = static_cast<v1::JobState>(i);
    const auto count = seen.jobs.find(state);
    families.Add(kJobs, {StateLabel(state)},
                 count == seen.jobs.end() ? 0 : static_cast<double>(count->second));
  }
  families.Add(kQueueWait, {}, seen.queue_waits);
  families.Add(kLongestWait, {}, seen.longest_wait_seconds);
  for (const v1::Host& host : seen.hosts) {
    families.Add(kHostSlots, {host.name()}, host.slots());
    families.Add(kHostSlotsUsed, {host.name()}, host.used_slots());
    families.Add(kHostReady, {host.name()}, host.state() == v1::Host::STATE_READY ? 1 : 0);
  }
}

Collection Collect(const Snapshot& snapshot) {
  Families families;
  AddServer(snapshot, families);
  std::vector<const service::LiveJob*> jobs;
  for (const service::LiveJob& live : snapshot.service.live) jobs.push_back(&live);
  std::ranges::sort(jobs, {}, [](const service::LiveJob* live) { return live->job.name(); });
  Collection collection;
  int64_t budget = snapshot.class_series;
  for (const service::LiveJob* live : jobs) {
    AddJob(*live, families);
    const auto classes = snapshot.classes.find(live->job.name());
    if (classes == snapshot.classes.end() || classes->second == nullptr) continue;
    collection.class_series_dropped += AddClasses(*live, *classes->second, budget, families);
  }
  families.Add(
      kClassSeriesDropped, {},
      static_cast<double>(snapshot.class_series_dropped + collection.class_series_dropped));
  collection.families = std::move(families).Take();
  return collection;
}

}  // namespace ltml::monitoring
