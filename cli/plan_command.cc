#include "cli/plan_command.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "common/base/status_macros.h"
#include "common/config/job_file.h"
#include "common/sampling/streams.h"

namespace ltml::cli {
namespace {

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::string JsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// One stream of a job and the name it has in the plan.
struct PlannedStream {
  std::string_view name;
  std::function<int64_t(int64_t)> image_at;
};

std::string Line(const PlannedStream& stream, const dataset::Dataset& train, int64_t step, int rank,
                 sampling::Slice slice) {
  std::string line =
      fmt::format(R"({{"step":{},"stream":"{}","rank":{},"images":[)", step, stream.name, rank);
  for (int64_t position = slice.begin; position < slice.end; ++position) {
    if (position > slice.begin) line += ',';
    line += JsonText(train.name(stream.image_at(position)));
  }
  return line + "]}";
}

struct PlanArguments {
  std::string job;
  std::string steps;
  std::vector<std::string> overrides;
  int world_size = 0;
};

absl::Status RunPlan(const PlanArguments& arguments) {
  LTML_ASSIGN_OR_RETURN(const v1::JobSpec job,
                        config::ReadJobFile(arguments.job, arguments.overrides));
  LTML_ASSIGN_OR_RETURN(const StepRange steps,
                        ParseStepRange(arguments.steps, job.schedule().steps()));
  auto train = dataset::Dataset::Open(job.data().train());
  if (!train.ok()) {
    return absl::IsInvalidArgument(train.status()) ? DataFault(train.status()) : train.status();
  }
  const int world_size = arguments.world_size > 0 ? arguments.world_size : job.resources().ranks();
  LTML_RETURN_IF_ERROR(PlanLines(job, **train, steps, world_size, [](std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
  }));
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  return absl::InternalError("cannot write the plan to stdout");
}

}  // namespace

absl::StatusOr<StepRange> ParseStepRange(std::string_view text, int64_t steps) {
  if (text.empty()) text = ":";
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const std::string_view first = text.substr(0, colon), last = text.substr(colon + 1);
    const auto begin = first.empty() ? 0 : ParseNumber(first);
    const auto end = last.empty() ? steps : ParseNumber(last);
    if (begin && end && *begin < *end && *end <= steps) return StepRange{*begin, *end};
  }
  return absl::InvalidArgumentError(
      fmt::format("--steps '{}' is no range of this job's steps; expected A:B with "
                  "0 <= A < B <= {}",
                  text, steps));
}

absl::Status PlanLines(const v1::JobSpec& job, const dataset::Dataset& train, StepRange steps,
                       int world_size, const std::function<void(std::string_view)>& print) {
  const int64_t batch = job.streams().global_batch();
  if (world_size < 1 || world_size > batch) {
    return absl::InvalidArgumentError(
        fmt::format("{} ranks cannot share the {} images of a step; use 1 to {} ranks, or a larger "
                    "streams.global_batch",
                    world_size, batch, batch));
  }
  const uint64_t seed = job.streams().seed();
  const v1::Model::Branches branches = job.model().branches();
  const sampling::UniformStream uniform(seed, train.images());
  std::vector<PlannedStream> streams;
  if (branches != v1::Model::BRANCHES_REBALANCED) {
    streams.push_back({"uniform", [&](int64_t p) { return uniform.ImageAt(p); }});
  }
  std::optional<sampling::RebalancedStream> rebalanced;
  if (branches != v1::Model::BRANCHES_UNIFORM) {
    LTML_ASSIGN_OR_RETURN(rebalanced,
                          sampling::RebalancedStream::Create(seed, train.class_lists()));
    streams.push_back({"rebalanced", [&](int64_t p) { return rebalanced->ImageAt(p); }});
  }
  for (int64_t step = steps.begin; step < steps.end; ++step) {
    for (const PlannedStream& stream : streams) {
      for (int rank = 0; rank < world_size; ++rank) {
        print(Line(stream, train, step, rank, sampling::StepSlice(step, batch, rank, world_size)));
      }
    }
  }
  return absl::OkStatus();
}

void AddPlanCommand(CLI::App& program, Context& context) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* command =
      AddCommand(program, "plan", "Prints which images every rank draws in every step",
                 "ltml plan examples/clipart/job.toml --steps 0:2 --world-size 2");
  command->add_option("JOB", arguments->job, "The job file")->required();
  command->add_option("--steps", arguments->steps, "Steps A to B - 1, as A:B; without it all");
  command
      ->add_option("--world-size", arguments->world_size,
                   "Number of ranks; without it the job's resources.ranks")
      ->check(CLI::Range(1, 65536));
  command
      ->add_option("--set", arguments->overrides,
                   "path=value: a job file key with another value; may be repeated")
      ->allow_extra_args(false);
  command->callback([arguments, &context] { context.Fail(RunPlan(*arguments)); });
}

}  // namespace ltml::cli
