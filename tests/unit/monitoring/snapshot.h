#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/proto_time.h"
#include "coordinator/monitoring/collect.h"

namespace ltml::monitoring {

inline std::chrono::system_clock::time_point At(int64_t seconds) {
  return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

inline std::shared_ptr<v1::DatasetInfo> ClassTableOf(
    const std::vector<std::pair<std::string, int64_t>>& classes) {
  auto table = std::make_shared<v1::DatasetInfo>();
  for (const auto& [name, images] : classes) {
    v1::ClassInfo& one = *table->add_classes();
    one.set_name(name);
    one.set_images(images);
  }
  return table;
}

// A job on two ranks that trains, with everything that is told of one.
inline service::LiveJob RunningJob(const std::string& id, int classes) {
  service::LiveJob live;
  v1::Job& job = live.job;
  job.set_name("jobs/" + id);
  job.mutable_spec()->set_name("clipart");
  job.mutable_spec()->mutable_schedule()->set_steps(1000);
  job.mutable_spec()->mutable_streams()->set_global_batch(32);
  job.mutable_spec()->mutable_model()->set_branches(v1::Model::BRANCHES_BOTH);
  job.mutable_spec()->mutable_monitoring()->set_top_classes(20);
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_attempt_epoch(2);
  job.set_step(240);
  *job.mutable_start_time() = base::ToTimestamp(At(1767000000));
  *job.mutable_checkpoint_time() = base::ToTimestamp(At(1767000500));
  v1::Attempt& lost = *job.add_attempts();
  lost.set_epoch(1);
  lost.mutable_failure()->set_cause(v1::FAILURE_CAUSE_RANK_LOST);
  job.add_attempts()->set_epoch(2);
  v1::StepMetrics& metrics = *job.mutable_metrics();
  metrics.set_loss(0.5);
  metrics.set_classification_uniform(0.25);
  metrics.set_classification_rebalanced(0.125);
  metrics.set_consistency(1.25);
  metrics.set_learning_rate(0.02);
  metrics.set_images_per_second(640);
  auto& means = *job.add_evaluations()->mutable_mean_average_precision();
  means.set_total(0.5);
  means.set_head(0.75);
  means.set_tail(0.25);
  live.steps = 250;
  live.step_durations.Add(0.1, 200);
  live.step_durations.Add(0.5, 50);
  auto statistics = std::make_shared<v1::ClassStatistics>();
  auto validation = std::make_shared<v1::Report>();
  auto& compensation = *statistics->mutable_compensation();
  for (int k = 0; k < classes; ++k) {
    statistics->add_uniform_positives(10 * (k + 1));
    statistics->add_rebalanced_positives(1000 + k);
    compensation.mutable_uniform_positive()->add_mu(0.25);
    compensation.mutable_rebalanced_positive()->add_mu(-0.5);
    v1::ClassReport& row = *validation->add_classes();
    if (k % 4 != 3) row.set_average_precision(1.0 / (k + 2));
  }
  live.statistics = statistics;
  live.validation = validation;
  for (int rank = 0; rank < 2; ++rank) {
    v1::RankStatus& status = live.ranks.emplace_back();
    status.set_rank(rank);
    *status.mutable_last_message_time() = base::ToTimestamp(At(1767000600 + rank));
    v1::RankTimes& times = *status.mutable_times();
    times.set_steps(250);
    times.set_compute_seconds(40 + rank);
    times.set_data_wait_seconds(0.5);
    times.set_collective_wait_seconds(2 - rank);
    times.set_grant_wait_seconds(0.125);
    *job.add_ranks() = status;
  }
  return live;
}

inline ServerFacts SomeFacts() {
  ServerFacts facts;
  facts.version = "0.1.0";
  facts.start_seconds = 1766000000;
  facts.cpu_seconds = 12.5;
  facts.resident_bytes = 64 << 20;
  facts.open_files = 42;
  facts.log_lines_dropped = 3;
  facts.disks = {{.folder = "store", .size_bytes = 1e9, .free_bytes = 25e7}};
  facts.commits = base::Durations({0.001, 0.01});
  facts.commits.Add(0.0005, 7);
  facts.commits.Add(2);
  facts.store_errors = 1;
  CallCounts calls{.service = "ltml.v1.JobService", .method = "Submit", .by_code = {}};
  calls.by_code = {{"OK", 5}, {"InvalidArgument", 2}};
  calls.durations = base::Durations({0.01, 1});
  calls.durations.Add(0.005, 7);
  facts.calls = {calls};
  return facts;
}

inline Snapshot SomeSnapshot() {
  Snapshot snapshot;
  snapshot.server = SomeFacts();
  service::Observation& seen = snapshot.service;
  seen.time = At(1767001000);
  seen.jobs = {{v1::JOB_STATE_QUEUED, 4}, {v1::JOB_STATE_RUNNING, 1}, {v1::JOB_STATE_FAILED, 1}};
  seen.queue_waits = base::Durations({1, 60});
  seen.queue_waits.Add(30, 2);
  seen.longest_wait_seconds = 75;
  for (const auto state : {v1::Host::STATE_READY, v1::Host::STATE_DRAINING}) {
    v1::Host& host = seen.hosts.emplace_back();
    host.set_name(state == v1::Host::STATE_READY ? "node-a" : "node-b");
    host.set_slots(8);
    host.set_used_slots(2);
    host.set_state(state);
  }
  seen.live.push_back(RunningJob("b", 4));
  service::LiveJob failed;
  failed.job.set_name("jobs/a");
  failed.job.mutable_spec()->set_name("broken");
  failed.job.mutable_spec()->mutable_model()->set_branches(v1::Model::BRANCHES_UNIFORM);
  failed.job.set_state(v1::JOB_STATE_FAILED);
  failed.job.set_attempt_epoch(1);
  v1::Attempt& bad = *failed.job.add_attempts();
  bad.set_epoch(1);
  bad.mutable_failure()->set_cause(v1::FAILURE_CAUSE_DATA);
  bad.mutable_failure()->set_phase(v1::PHASE_STEP);
  seen.live.push_back(failed);
  snapshot.classes["jobs/b"] =
      ClassTableOf({{"sky", 900}, {"cow", 40}, {"cat \"tabby\"\n", 4}, {"never", 0}});
  snapshot.class_series = 1000;
  snapshot.class_series_dropped = 5;
  return snapshot;
}

}  // namespace ltml::monitoring
