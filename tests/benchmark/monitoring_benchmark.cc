// What a scrape and a page cost the server: build/tests/monitoring_benchmark.
#include <benchmark/benchmark.h>
#include <prometheus/text_serializer.h>

#include "common/view/run_page.h"
#include "coordinator/monitoring/collect.h"
#include "tests/unit/monitoring/snapshot.h"

namespace ltml::monitoring {
namespace {

// Jobs, classes of each, and whether all of those are told.
void ScrapeOfJobs(benchmark::State& state) {
  const auto jobs = static_cast<int>(state.range(0)), classes = static_cast<int>(state.range(1));
  const auto told =
      state.range(2) != 0 ? v1::Monitoring::PER_CLASS_ALL : v1::Monitoring::PER_CLASS_UNSPECIFIED;
  Snapshot snapshot = SomeSnapshot();
  snapshot.class_series = 200000;
  snapshot.service.live.clear();
  std::vector<std::pair<std::string, int64_t>> table;
  for (int k = 0; k < classes; ++k)
    table.emplace_back("class " + std::to_string(k), 1000 - k % 999);
  for (int i = 0; i < jobs; ++i) {
    service::LiveJob& live =
        snapshot.service.live.emplace_back(RunningJob("job-" + std::to_string(i), classes));
    live.job.mutable_spec()->mutable_monitoring()->set_per_class(told);
    snapshot.classes[live.job.name()] = ClassTableOf(table);
  }
  size_t bytes = 0;
  for (auto _ : state) {
    bytes = prometheus::TextSerializer().Serialize(Collect(snapshot).families).size();
    benchmark::DoNotOptimize(bytes);
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(ScrapeOfJobs)->Args({20, 1000, 0})->Args({20, 1000, 1})->Unit(benchmark::kMillisecond);

void PageOfJob(benchmark::State& state) {
  const auto classes = static_cast<int>(state.range(0));
  v1::RunView view;
  *view.mutable_job() = RunningJob("a", classes).job;
  for (int step = 1; step <= 1000; ++step) {
    v1::StepMetrics& metrics = *view.add_steps();
    metrics.set_step(step);
    metrics.set_loss(1.0 / step);
  }
  view.add_validation_steps(500);
  view.add_validation_steps(1000);
  for (int k = 0; k < classes; ++k) {
    v1::ClassView& one = *view.add_classes();
    one.set_name("class " + std::to_string(k));
    one.set_train_positives(classes - k);
    one.set_uniform_positives(k);
    one.set_rebalanced_positives(2 * k);
    one.add_average_precision(0.25);
    one.add_average_precision(0.5);
  }
  size_t bytes = 0;
  for (auto _ : state) {
    bytes = view::RunPage(view, {.order = view::ClassOrder::kWeakest, .address = "/jobs/a"})
                .markup()
                .size();
    benchmark::DoNotOptimize(bytes);
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(PageOfJob)->Arg(39)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ltml::monitoring
