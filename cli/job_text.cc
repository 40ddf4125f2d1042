#include "cli/job_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "cli/progress_line.h"
#include "cli/report_text.h"
#include "cli/table.h"
#include "common/base/proto_time.h"
#include "coordinator/jobs/transition.h"

namespace ltml::cli {
namespace {

using view::AgeText;
using view::IdOf;
using view::PlacementText;
using view::UtcText;
using SystemTime = std::chrono::system_clock::time_point;

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string AttemptText(const v1::Attempt& attempt) {
  std::string text = fmt::format("  attempt {}: {}, from step {}", attempt.epoch(),
                                 PlacementText(attempt.placements()), attempt.first_step());
  if (attempt.has_end_time()) text += fmt::format(" to {}", attempt.last_step());
  if (attempt.has_failure()) text += fmt::format("\n    {}", FailureText(attempt.failure()));
  return text + "\n";
}

std::string LossText(const v1::StepMetrics& metrics) {
  return fmt::format("loss {:.4f} (uniform {:.4f}, re-balanced {:.4f}, consistency {:.4f})",
                     metrics.loss(), metrics.classification_uniform(),
                     metrics.classification_rebalanced(), metrics.consistency());
}

std::string ChangeText(const v1::StateChange& change) {
  std::string text = Lower(jobs::StateName(change.to()));
  if (change.to() == v1::JOB_STATE_STARTING) {
    text += fmt::format(" on {}", PlacementText(change.placements()));
  }
  if (!change.reason().empty()) text += ": " + change.reason();
  if (change.has_failure()) text += "\n  " + FailureText(change.failure());
  return text;
}

}  // namespace

std::string JobTable(const std::vector<v1::Job>& jobs, SystemTime now, bool colour) {
  Table table({{"ID"},
               {"OWNER"},
               {"STATE"},
               {"STEP", Table::Align::kRight},
               {"OF", Table::Align::kRight},
               {"RANKS", Table::Align::kRight},
               {"AGE", Table::Align::kRight}});
  for (const v1::Job& job : jobs) {
    table.AddRow({IdOf(job), job.owner(), StateText(job), fmt::format("{}", job.step()),
                  fmt::format("{}", job.spec().schedule().steps()),
                  fmt::format("{}", job.spec().resources().ranks()),
                  AgeText(job.submit_time(), now)});
  }
  return table.Render(colour);
}

std::string JobText(const v1::Job& job, SystemTime now) {
  std::string text = fmt::format("{}\n  state: {} since {}\n", job.name(), StateText(job),
                                 AgeText(job.state_time(), now));
  if (!job.wait_reason().empty()) text += fmt::format("  waits: {}\n", job.wait_reason());
  text += fmt::format("  owner: {}\n  submitted: {}\n  step: {} of {}, newest checkpoint {}\n",
                      job.owner(), UtcText(job.submit_time()), job.step(),
                      job.spec().schedule().steps(), job.checkpoint_step());
  if (job.has_metrics()) text += fmt::format("  {}\n", LossText(job.metrics()));
  for (const v1::EvaluationPoint& point : job.evaluations()) {
    text += fmt::format("  mAP % at step {}: {}\n", point.step(),
                        MeansText(point.mean_average_precision()));
  }
  text += fmt::format("  folder: {}\n", job.run_folder());
  for (const v1::Attempt& attempt : job.attempts()) text += AttemptText(attempt);
  if (job.state() == v1::JOB_STATE_FAILED) {
    text += fmt::format("  failed: {}\n", FailureText(job.failure()));
  }
  return text;
}

std::string EventText(const v1::JobEvent& event) {
  std::string text = UtcText(event.time()) + "  ";
  if (event.has_state_change()) return text + ChangeText(event.state_change());
  if (event.has_checkpoint()) {
    return text + fmt::format("checkpoint of step {}: {}", event.checkpoint().step(),
                              event.checkpoint().folder());
  }
  return text + fmt::format("validation at step {}: mAP % {}", event.evaluation().step(),
                            MeansText(event.evaluation().mean_average_precision()));
}

std::string LiveText(const v1::Job& job, double seconds_left) {
  const int64_t steps = std::max<int64_t>(job.spec().schedule().steps(), 1);
  std::string text = fmt::format("{}, step {} / {} ({} %)", StateText(job), job.step(), steps,
                                 100 * job.step() / steps);
  if (job.has_metrics()) {
    text += fmt::format(", {:.0f} images/s, {}", job.metrics().images_per_second(),
                        LossText(job.metrics()));
  }
  if (job.evaluations_size() > 0) {
    const auto& last = job.evaluations(job.evaluations_size() - 1);
    text += fmt::format(", mAP % {}", MeansText(last.mean_average_precision()));
  }
  if (!job.wait_reason().empty()) text += fmt::format(", {}", job.wait_reason());
  if (seconds_left >= 0) text += fmt::format(", {} left", TimeText(seconds_left));
  return text;
}

std::string HostTable(const std::vector<v1::Host>& hosts, bool colour) {
  Table table({{"HOST"},
               {"ADDRESS"},
               {"STATE"},
               {"USED", Table::Align::kRight},
               {"SLOTS", Table::Align::kRight},
               {"DEVICE"},
               {"NOTE"}});
  for (const v1::Host& host : hosts) {
    table.AddRow({host.name(), host.address(),
                  Lower(v1::Host::State_Name(host.state()).substr(sizeof("STATE_") - 1)),
                  fmt::format("{}", host.used_slots()), fmt::format("{}", host.slots()),
                  Lower(v1::Resources::Device_Name(host.device()).substr(sizeof("DEVICE_") - 1)),
                  host.note()});
  }
  return table.Render(colour);
}

absl::Status OutcomeOf(const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_SUCCEEDED) return absl::OkStatus();
  std::string text = fmt::format("{} {}", job.name(), StateText(job));
  if (job.state() == v1::JOB_STATE_FAILED) text += ": " + FailureText(job.failure());
  return absl::InternalError(text);
}

}  // namespace ltml::cli
