#include "worker/session/messages.h"

#include <unistd.h>

#include <array>

#include "common/base/host_name.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/statistics/convert.h"

namespace ltml::session {

v1::Phase ToProto(train::Phase phase) {
  switch (phase) {
    case train::Phase::kStart:
      return v1::PHASE_START;
    case train::Phase::kWeights:
      return v1::PHASE_WEIGHTS;
    case train::Phase::kStep:
      return v1::PHASE_STEP;
    case train::Phase::kEvaluation:
      return v1::PHASE_EVALUATION;
    case train::Phase::kCheckpoint:
      return v1::PHASE_CHECKPOINT;
  }
  return v1::PHASE_UNSPECIFIED;
}

v1::StepMetrics ToProto(const train::StepReport& report) {
  v1::StepMetrics metrics;
  metrics.set_step(report.step);
  metrics.set_loss(report.loss);
  metrics.set_classification_uniform(report.classification_uniform);
  metrics.set_classification_rebalanced(report.classification_rebalanced);
  metrics.set_consistency(report.consistency);
  metrics.set_learning_rate(report.learning_rate);
  metrics.set_images_per_second(report.images_per_second);
  metrics.set_data_wait_ratio(report.data_wait_ratio);
  metrics.set_grant_wait_seconds(report.grant_wait_seconds);
  return metrics;
}

v1::WorkerMessage MessageOf(const SessionOptions& options) {
  v1::WorkerMessage message;
  message.set_attempt_epoch(options.attempt_epoch);
  return message;
}

v1::WorkerMessage HelloMessage(const SessionOptions& options) {
  v1::WorkerMessage message = MessageOf(options);
  v1::Hello& hello = *message.mutable_hello();
  hello.set_rank(options.rank);
  hello.set_world_size(options.world_size);
  hello.set_host(base::HostName());
  hello.set_process_id(getpid());
  hello.set_token(options.token);
  if (options.resume.has_value()) *hello.mutable_resume() = *options.resume;
  hello.set_program_version(base::Version());
  hello.set_job_id(options.job_id);
  return message;
}

v1::WorkerMessage ReportMessage(const SessionOptions& options, int64_t window,
                                const statistics::WindowSums& sums) {
  v1::WorkerMessage message = MessageOf(options);
  message.mutable_window_report()->set_window(window);
  *message.mutable_window_report()->mutable_sums() = statistics::ToProto(sums);
  return message;
}

absl::StatusOr<train::Grant> FromProto(const v1::Grant& proto, int classes) {
  train::Grant grant;
  grant.window = proto.window();
  grant.first_step = proto.first_step();
  grant.end_step = proto.end_step();
  grant.version = proto.version();
  LTML_ASSIGN_OR_RETURN(grant.compensation, statistics::FromProto(proto.compensation(), classes));
  LTML_ASSIGN_OR_RETURN(grant.totals, statistics::FromProto(proto.totals(), classes));
  return grant;
}

}  // namespace ltml::session
