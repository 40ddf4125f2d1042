#include "worker/model/fused.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>

#include <optional>
#include <utility>

#include "worker/engine/engine.h"

namespace ltml::model {
namespace {

using engine::BatchShape;
using engine::Engine;
using engine::LayerGradients;
using engine::LayerTensors;
using LayerList = std::vector<ConvolutionNorm::Tensors>;

// The engine's view of the network, and its tensors in the same order.
struct Layers {
  engine::NetworkPlan plan;
  LayerList tensors;

  int Add(const ConvolutionNorm& layer) {
    const ConvolutionNorm::Shape& shape = layer.shape();
    plan.layers.push_back({static_cast<int>(shape.in), static_cast<int>(shape.out),
                           static_cast<int>(shape.kernel), static_cast<int>(shape.stride)});
    tensors.push_back(layer.tensors());
    return static_cast<int>(tensors.size()) - 1;
  }
  engine::BlockPlan Add(const Block& block) {
    engine::BlockPlan added;
    for (const ConvolutionNorm& layer : block.path()) added.path.push_back(Add(layer));
    if (block.downsample()) added.downsample = Add(*block.downsample());
    return added;
  }
};

Layers LayersOf(const Trunk& trunk, const std::vector<const Stage*>& branches) {
  Layers layers;
  layers.Add(trunk.stem());
  for (const Stage& stage : trunk.stages()) {
    for (const Block& block : stage.blocks()) layers.plan.trunk.push_back(layers.Add(block));
  }
  for (const Stage* stage : branches) {
    auto& branch = layers.plan.branches.emplace_back();
    for (const Block& block : stage->blocks()) branch.push_back(layers.Add(block));
  }
  return layers;
}

std::vector<LayerTensors> Pointers(const LayerList& list) {
  std::vector<LayerTensors> pointers;
  for (const auto& layer : list) {
    pointers.push_back({.weight = layer.weight.const_data_ptr<float>(),
                        .norm = {.weight = layer.scale.const_data_ptr<float>(),
                                 .bias = layer.shift.const_data_ptr<float>(),
                                 .running_mean = layer.running_mean.mutable_data_ptr<float>(),
                                 .running_variance = layer.running_var.mutable_data_ptr<float>()}});
  }
  return pointers;
}

// A gradient that nobody has provided is made here.
float* GradientOf(const at::Tensor& parameter) {
  if (!parameter.grad().defined()) parameter.mutable_grad() = at::empty_like(parameter);
  TORCH_CHECK(parameter.grad().strides() == parameter.strides(),
              "a gradient must lie in memory as its parameter does");
  return parameter.grad().mutable_data_ptr<float>();
}

std::vector<LayerGradients> GradientPointers(const LayerList& list) {
  std::vector<LayerGradients> pointers;
  for (const auto& layer : list) {
    pointers.push_back(
        {.weight = GradientOf(layer.weight),
         .norm = {.weight = GradientOf(layer.scale), .bias = GradientOf(layer.shift)}});
  }
  return pointers;
}

void CallHook(const at::Tensor& parameter) {
  const auto& hook = torch::autograd::impl::post_acc_grad_hooks(parameter);
  if (hook != nullptr) (*hook)(parameter);
}

std::vector<at::Tensor> EmptyFeatures(const engine::NetworkPlan& plan, int64_t images) {
  std::vector<at::Tensor> features;
  for (size_t i = 0; i < plan.branches.size(); ++i) {
    features.push_back(at::empty({images, plan.feature_channels()}, at::kFloat));
  }
  return features;
}

std::vector<float*> DataOf(const std::vector<at::Tensor>& tensors) {
  std::vector<float*> data;
  for (const at::Tensor& tensor : tensors) data.push_back(tensor.mutable_data_ptr<float>());
  return data;
}

// Engines are made for the shape of a batch; the last batch of a data set may have another one.
class EngineFor {
 public:
  EngineFor(const engine::NetworkPlan& plan, engine::Purpose purpose)
      : plan_(plan), purpose_(purpose) {}

  Engine& Get(const BatchShape& shape) {
    if (engine_ == nullptr || shape_ != shape) {
      engine_.reset();  // its memory goes before that of the next is taken
      engine_ = std::make_unique<Engine>(plan_, shape, purpose_, *kernels::BestIsa());
      shape_ = shape;
    }
    return *engine_;
  }

 private:
  const engine::NetworkPlan& plan_;
  const engine::Purpose purpose_;
  BatchShape shape_;
  std::unique_ptr<Engine> engine_;
};

BatchShape ShapeOf(const at::Tensor& x_B3HW, std::vector<int> groups) {
  return {.groups = std::move(groups),
          .height = static_cast<int>(x_B3HW.size(2)),
          .width = static_cast<int>(x_B3HW.size(3))};
}

// One training pass: what its backward needs.
struct Pass {
  const LayerList& layers;
  Engine& engine;
  at::Tensor x_B3HW;
  std::vector<at::Tensor> features;
};

// The network as one operation of the graph.  The anchor stands for all parameters.
struct FeaturesNode : torch::autograd::Function<FeaturesNode> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& /*anchor*/,
                                                const std::shared_ptr<Pass>& pass) {
    context->saved_data["pass"] = c10::IValue(reinterpret_cast<int64_t>(pass.get()));
    pass->engine.Forward(pass->x_B3HW.const_data_ptr<float>(), Pointers(pass->layers),
                         DataOf(pass->features));
    return pass->features;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): LibTorch keeps numbers, not pointers.
    const auto* pass = reinterpret_cast<const Pass*>(context->saved_data["pass"].toInt());
    std::vector<const float*> pointers;
    for (size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] =
          gradients[i].defined() ? gradients[i].contiguous() : at::zeros_like(pass->features[i]);
      pointers.push_back(gradients[i].const_data_ptr<float>());
    }
    pass->engine.Backward(pointers, Pointers(pass->layers), GradientPointers(pass->layers),
                          [pass](int layer) {
                            const ConvolutionNorm::Tensors& tensors = pass->layers[layer];
                            CallHook(tensors.shift);
                            CallHook(tensors.scale);
                            CallHook(tensors.weight);
                          });
    return {at::Tensor(), at::Tensor()};
  }
};

}  // namespace

bool FusedIsAvailable() { return kernels::BestIsa() != nullptr; }

struct FusedFeatures::Implementation {
  explicit Implementation(Layers all)
      : layers(std::move(all)),
        training(layers.plan, engine::Purpose::kTraining),
        prediction(layers.plan, engine::Purpose::kPrediction) {}

  const Layers layers;
  EngineFor training, prediction;
  at::Tensor anchor = at::zeros({}, at::kFloat).requires_grad_(true);
  std::shared_ptr<Pass> pass;  // of the last Forward
};

FusedFeatures::FusedFeatures(const Trunk& trunk, const std::vector<const Stage*>& branches)
    : implementation_(std::make_unique<Implementation>(LayersOf(trunk, branches))) {}
FusedFeatures::~FusedFeatures() = default;

std::vector<at::Tensor> FusedFeatures::Forward(const at::Tensor& x_B3HW,
                                               const std::vector<int>& groups) {
  Implementation& all = *implementation_;
  const at::Tensor x = x_B3HW.contiguous();
  all.pass = std::make_shared<Pass>(Pass{all.layers.tensors, all.training.Get(ShapeOf(x, groups)),
                                         x, EmptyFeatures(all.layers.plan, x.size(0))});
  return FeaturesNode::apply(all.anchor, all.pass);
}

std::vector<at::Tensor> FusedFeatures::Predict(const at::Tensor& x_B3HW) {
  Implementation& all = *implementation_;
  const at::Tensor x = x_B3HW.contiguous();
  std::vector<at::Tensor> features = EmptyFeatures(all.layers.plan, x.size(0));
  all.prediction.Get(ShapeOf(x, {static_cast<int>(x.size(0))}))
      .Forward(x.const_data_ptr<float>(), Pointers(all.layers.tensors), DataOf(features));
  return features;
}

}  // namespace ltml::model
