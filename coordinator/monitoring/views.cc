#include "coordinator/monitoring/views.h"

#include <algorithm>
#include <chrono>

#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace ltml::monitoring {
namespace {

// The job's own record wins over what its folder tells.
void PutOver(const service::LiveJob& live, v1::RunView& view) {
  const auto ranks_of_folder = view.job().ranks();
  *view.mutable_job() = live.job;
  if (live.ranks.empty()) {
    *view.mutable_job()->mutable_ranks() = ranks_of_folder;
  } else {
    view.mutable_job()->mutable_ranks()->Assign(live.ranks.begin(), live.ranks.end());
  }
  if (live.statistics != nullptr) view::FillStatistics(*live.statistics, view);
}

}  // namespace

std::shared_ptr<Views::Reader> Views::ReaderOf(const v1::Job& job) {
  const absl::MutexLock lock(&mutex_);
  const auto known = std::ranges::find_if(
      readers_, [&job](const auto& reader) { return reader->name == job.name(); });
  if (known != readers_.end()) {
    readers_.splice(readers_.begin(), readers_, known);
  } else {
    readers_.push_front(std::make_shared<Reader>(job.name(), job.run_folder()));
    if (readers_.size() > kReaders) readers_.pop_back();
  }
  return readers_.front();
}

absl::StatusOr<v1::RunView> Views::Of(const std::string& name) {
  LTML_ASSIGN_OR_RETURN(const service::LiveJob live, manager_.Look(name));
  v1::RunView view;
  *view.mutable_time() = base::ToTimestamp(std::chrono::system_clock::now());
  if (live.job.attempt_epoch() > 0) {
    const std::shared_ptr<Reader> reader = ReaderOf(live.job);
    const absl::MutexLock lock(&reader->mutex);
    absl::StatusOr<v1::RunView> read = reader->reader.Read();
    if (read.ok()) {
      view = *std::move(read);
    } else if (!absl::IsNotFound(read.status())) {
      view.set_fault(std::string(read.status().message()));
    }
  }
  PutOver(live, view);
  return view;
}

}  // namespace ltml::monitoring
