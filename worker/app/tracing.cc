#include "worker/app/tracing.h"

#include <fmt/ranges.h>

#include <cstdlib>
#include <string_view>

#include "common/base/log.h"

namespace ltml::worker {
namespace {

class TracingSource : public train::BatchSource {
 public:
  explicit TracingSource(std::unique_ptr<train::BatchSource> source) : source_(std::move(source)) {}

  absl::StatusOr<const train::Batch*> Next(int64_t step,
                                           std::chrono::nanoseconds timeout) override {
    absl::StatusOr<const train::Batch*> batch = source_->Next(step, timeout);
    if (batch.ok()) {
      base::Log(base::LogLevel::kDebug, "step_images", "step={} uniform={} images={}", step,
                (*batch)->uniform_images, fmt::join((*batch)->images, ","));
    }
    return batch;
  }

 private:
  std::unique_ptr<train::BatchSource> source_;
};

}  // namespace

std::unique_ptr<train::BatchSource> TraceImages(std::unique_ptr<train::BatchSource> source) {
  const char* level = std::getenv("LTML_LOG_LEVEL");
  if (level == nullptr || std::string_view(level) != "debug") return source;
  return std::make_unique<TracingSource>(std::move(source));
}

}  // namespace ltml::worker
