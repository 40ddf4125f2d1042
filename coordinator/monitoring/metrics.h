#pragma once

#include <prometheus/metric_type.h>

#include <array>
#include <span>
#include <string_view>

namespace ltml::monitoring {

// Every metric of the server, declared here and nowhere else.  Names carry their base unit; labels
// are closed sets but for jobs, ranks, hosts and classes.  docs/metrics.md is this table.
struct Metric {
  std::string_view name;
  prometheus::MetricType type;
  std::string_view unit;  // "" for counts of things, which the help names
  std::string_view help;
  std::array<std::string_view, 3> labels = {};  // "" from the first that is none
};

using Type = prometheus::MetricType;

// The server.
inline constexpr Metric kBuildInfo{"ltml_build_info", Type::Gauge, "", "Always 1.", {"version"}};
inline constexpr Metric kProcessStart{"process_start_time_seconds", Type::Gauge, "seconds",
                                      "Unix time at which the server started."};
inline constexpr Metric kProcessCpu{"process_cpu_seconds_total", Type::Counter, "seconds",
                                    "Processor time of the server."};
inline constexpr Metric kProcessMemory{"process_resident_memory_bytes", Type::Gauge, "bytes",
                                       "Resident memory of the server."};
inline constexpr Metric kProcessFiles{"process_open_fds", Type::Gauge, "",
                                      "Open file descriptors of the server."};
inline constexpr Metric kJobs{
    "ltml_jobs", Type::Gauge, "", "Jobs by state; ended ones too.", {"state"}};
inline constexpr Metric kQueueWait{"ltml_queue_wait_seconds", Type::Histogram, "seconds",
                                   "How long jobs waited until they got slots."};
inline constexpr Metric kLongestWait{"ltml_queue_longest_wait_seconds", Type::Gauge, "seconds",
                                     "How long the job that waits longest has waited so far."};
inline constexpr Metric kHostSlots{
    "ltml_host_slots", Type::Gauge, "", "Slots of a host.", {"host"}};
inline constexpr Metric kHostSlotsUsed{
    "ltml_host_slots_used", Type::Gauge, "", "Slots of a host that jobs hold.", {"host"}};
inline constexpr Metric kHostReady{"ltml_host_ready",
                                   Type::Gauge,
                                   "",
                                   "1 when a host takes new jobs, 0 when it is drained or cools "
                                   "down.",
                                   {"host"}};
inline constexpr Metric kStoreCommit{"ltml_store_commit_duration_seconds", Type::Histogram,
                                     "seconds",
                                     "From handing a change to the store until it was durable."};
inline constexpr Metric kStoreErrors{"ltml_store_errors_total", Type::Counter, "",
                                     "Changes that the store did not take."};
inline constexpr Metric kDiskSize{
    "ltml_disk_size_bytes", Type::Gauge, "bytes", "Size of the disk of a folder.", {"folder"}};
inline constexpr Metric kDiskFree{"ltml_disk_free_bytes",
                                  Type::Gauge,
                                  "bytes",
                                  "What the server may still write on the disk of a folder.",
                                  {"folder"}};
inline constexpr Metric kLogLinesDropped{"ltml_log_lines_dropped_total", Type::Counter, "",
                                         "Lines of the server's log that nobody took in time."};
inline constexpr Metric kClassSeriesDropped{"ltml_class_series_dropped_total", Type::Counter, "",
                                            "Series of classes that scrapes left out, over "
                                            "monitoring.class_series."};
inline constexpr Metric kGrpcHandled{"grpc_server_handled_total",
                                     Type::Counter,
                                     "",
                                     "Calls that have ended, by their status.",
                                     {"grpc_service", "grpc_method", "grpc_code"}};
inline constexpr Metric kGrpcHandling{"grpc_server_handling_seconds",
                                      Type::Histogram,
                                      "seconds",
                                      "How long calls took; of streams their whole life.",
                                      {"grpc_service", "grpc_method"}};

// Jobs that have had an attempt; they go some time after their end (monitoring.grace).
inline constexpr Metric kJobState{"ltml_job_state",
                                  Type::Gauge,
                                  "",
                                  "1 for the state that a job is in, 0 for the others.",
                                  {"job", "state"}};
inline constexpr Metric kJobInfo{
    "ltml_job_info", Type::Gauge, "", "Always 1; the name in the job file.", {"job", "name"}};
inline constexpr Metric kJobStart{"ltml_job_start_timestamp_seconds",
                                  Type::Gauge,
                                  "seconds",
                                  "Unix time at which the first attempt was placed.",
                                  {"job"}};
inline constexpr Metric kJobAttempt{
    "ltml_job_attempt", Type::Gauge, "", "Number of the newest attempt.", {"job"}};
inline constexpr Metric kJobStep{"ltml_job_step", Type::Gauge, "", "Completed steps.", {"job"}};
inline constexpr Metric kJobSteps{
    "ltml_job_steps", Type::Gauge, "", "Steps that the job is to have.", {"job"}};
inline constexpr Metric kJobSamples{"ltml_job_samples_total",
                                    Type::Counter,
                                    "",
                                    "Images that a stream has delivered; steps that an attempt "
                                    "repeats count once.",
                                    {"job", "stream"}};
inline constexpr Metric kJobImagesPerSecond{"ltml_job_images_per_second",
                                            Type::Gauge,
                                            "",
                                            "Images of all streams a second, at the last logged "
                                            "step.",
                                            {"job"}};
inline constexpr Metric kJobLoss{"ltml_job_loss",
                                 Type::Gauge,
                                 "",
                                 "Mean loss over the global batch of the last logged step; "
                                 "consistency without its weight.",
                                 {"job", "part"}};
inline constexpr Metric kJobLearningRate{
    "ltml_job_learning_rate", Type::Gauge, "", "Learning rate of the last logged step.", {"job"}};
inline constexpr Metric kJobPrecision{"ltml_job_average_precision",
                                      Type::Gauge,
                                      "",
                                      "Mean average precision of the newest validation, from 0 "
                                      "to 1.",
                                      {"job", "group"}};
inline constexpr Metric kJobStepDuration{
    "ltml_job_step_duration_seconds", Type::Histogram, "seconds", "How long steps took.", {"job"}};
inline constexpr Metric kJobGrantWait{"ltml_job_grant_wait_seconds_total",
                                      Type::Counter,
                                      "seconds",
                                      "Seconds that ranks waited for grants, all ranks together.",
                                      {"job"}};
inline constexpr Metric kJobCompute{"ltml_job_compute_seconds_total",
                                    Type::Counter,
                                    "seconds",
                                    "Seconds of steps in which a rank computed.",
                                    {"job", "rank"}};
inline constexpr Metric kJobDataWait{"ltml_job_data_wait_seconds_total",
                                     Type::Counter,
                                     "seconds",
                                     "Seconds of steps in which a rank waited for images.",
                                     {"job", "rank"}};
inline constexpr Metric kJobCollectiveWait{"ltml_job_collective_wait_seconds_total",
                                           Type::Counter,
                                           "seconds",
                                           "Seconds of steps in which a rank waited for sums over "
                                           "ranks with nothing left to compute.",
                                           {"job", "rank"}};
inline constexpr Metric kRankLastMessage{"ltml_rank_last_message_timestamp_seconds",
                                         Type::Gauge,
                                         "seconds",
                                         "Unix time at which a rank of the running attempt was "
                                         "heard last.",
                                         {"job", "rank"}};
inline constexpr Metric kJobFailures{"ltml_job_failures_total",
                                     Type::Counter,
                                     "",
                                     "Attempts that failed, by cause.",
                                     {"job", "reason"}};
inline constexpr Metric kJobRestarts{"ltml_job_restarts_total",
                                     Type::Counter,
                                     "",
                                     "Attempts that followed a failed one, by its cause.",
                                     {"job", "reason"}};
inline constexpr Metric kBadSamples{"ltml_bad_samples_total",
                                    Type::Counter,
                                    "",
                                    "Images that could not be used; each has ended an attempt.",
                                    {"job", "reason"}};
inline constexpr Metric kJobCheckpoint{"ltml_job_checkpoint_last_success_timestamp_seconds",
                                       Type::Gauge,
                                       "seconds",
                                       "Unix time at which the newest checkpoint was written.",
                                       {"job"}};

// Classes: the rarest and the weakest of a job, or all (monitoring.per_class of the job).
inline constexpr Metric kImbalance{"ltml_class_imbalance_ratio",
                                   Type::Gauge,
                                   "",
                                   "Training images of the most frequent class over those of the "
                                   "rarest that has any.",
                                   {"job"}};
inline constexpr Metric kClassTrain{"ltml_class_train_images",
                                    Type::Gauge,
                                    "",
                                    "Training images that carry a class.",
                                    {"job", "class"}};
inline constexpr Metric kClassUniform{"ltml_class_uniform_positives_total",
                                      Type::Counter,
                                      "",
                                      "Positives of a class that the uniform stream has delivered.",
                                      {"job", "class"}};
inline constexpr Metric kClassRebalanced{"ltml_class_rebalanced_positives_total",
                                         Type::Counter,
                                         "",
                                         "Positives of a class that the re-balanced stream has "
                                         "delivered.",
                                         {"job", "class"}};
inline constexpr Metric kClassPrecision{"ltml_class_average_precision",
                                        Type::Gauge,
                                        "",
                                        "Average precision of a class at the newest validation, "
                                        "from 0 to 1.",
                                        {"job", "class"}};
inline constexpr Metric kClassUniformMu{"ltml_class_uniform_compensation",
                                        Type::Gauge,
                                        "",
                                        "Shift (mu) of the positives' logits in the uniform "
                                        "branch's loss.",
                                        {"job", "class"}};
inline constexpr Metric kClassRebalancedMu{"ltml_class_rebalanced_compensation",
                                           Type::Gauge,
                                           "",
                                           "Shift (mu) of the positives' logits in the "
                                           "re-balanced branch's loss.",
                                           {"job", "class"}};

// In the order in which they are told.
std::span<const Metric* const> AllMetrics();

}  // namespace ltml::monitoring
