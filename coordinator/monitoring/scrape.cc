#include "coordinator/monitoring/scrape.h"

#include <prometheus/text_serializer.h>

#include "common/base/log.h"
#include "common/run/folder.h"
#include "common/run/run_file.h"

namespace ltml::monitoring {
namespace {

// Null where there is none yet, or none that can be read.
std::shared_ptr<const v1::DatasetInfo> ReadClasses(const v1::Job& job) {
  auto table = std::make_shared<v1::DatasetInfo>();
  const auto read = run::ReadMessage(job.run_folder(), run::kDataFile, table.get());
  if (!read.ok()) {
    base::Log(base::LogLevel::kWarning, "class_table_unreadable", "job={} reason={}", job.name(),
              base::LogValue(std::string(read.status().message())));
  }
  return read.ok() && *read ? table : nullptr;
}

}  // namespace

void Scrape::RenewClasses(const service::Observation& seen) {
  std::map<std::string, ClassTable> renewed;
  for (const service::LiveJob& live : seen.live) {
    const auto known = classes_.find(live.job.name());
    renewed[live.job.name()] =
        known != classes_.end() && known->second != nullptr ? known->second : ReadClasses(live.job);
  }
  classes_ = std::move(renewed);
}

std::string Scrape::Text() {
  Snapshot snapshot;
  snapshot.server = options_.server();
  snapshot.service = options_.manager->Observe();
  snapshot.class_series = options_.class_series;
  const absl::MutexLock lock(&mutex_);
  RenewClasses(snapshot.service);
  snapshot.classes = classes_;
  snapshot.class_series_dropped = class_series_dropped_;
  const Collection collection = Collect(snapshot);
  class_series_dropped_ += collection.class_series_dropped;
  return prometheus::TextSerializer().Serialize(collection.families);
}

}  // namespace ltml::monitoring
