#include "worker/engine/engine.h"

#include <numeric>

#include "worker/engine/program.h"

namespace ltml::engine {

int BatchShape::images() const { return std::accumulate(groups.begin(), groups.end(), 0); }

struct Engine::Implementation {
  Implementation(const NetworkPlan& plan, const BatchShape& batch, Purpose purpose,
                 const kernels::Isa& isa)
      : program(plan, batch, purpose, isa), memory(program.floats() + kernels::kSlack) {}

  const Program program;
  const kernels::FloatMemory memory;
};

Engine::Engine(const NetworkPlan& plan, const BatchShape& batch, Purpose purpose,
               const kernels::Isa& isa)
    : implementation_(std::make_unique<Implementation>(plan, batch, purpose, isa)) {}
Engine::~Engine() = default;

void Engine::Forward(const float* images, std::span<const LayerTensors> layers,
                     std::span<float* const> features) {
  implementation_->program.Forward({.memory = implementation_->memory.data(),
                                    .images = images,
                                    .layers = layers,
                                    .features = features});
}

void Engine::Backward(std::span<const float* const> feature_gradients,
                      std::span<const LayerTensors> layers,
                      std::span<const LayerGradients> gradients,
                      const std::function<void(int layer)>& done) {
  implementation_->program.Backward({.memory = implementation_->memory.data(),
                                     .layers = layers,
                                     .feature_gradients = feature_gradients,
                                     .gradients = gradients,
                                     .done = &done});
}

int64_t Engine::memory_bytes() const { return implementation_->memory.size() * 4; }

}  // namespace ltml::engine
