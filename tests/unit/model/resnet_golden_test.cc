// The networks of tests/golden/resnet.json and the first training step of training_step.json.
#include <functional>
#include <set>

#include "tests/unit/model/golden.h"
#include "worker/model/loss.h"
#include "worker/model/resnet.h"

namespace ltml::model {
namespace {

struct Case {
  Architecture architecture;
  int width;
};

Case CaseOf(std::string_view name) {
  return {name.starts_with("resnet18") ? Architecture::kResnet18 : Architecture::kResnet50,
          name.find("width8") != std::string_view::npos ? 8 : 64};
}

// Our names to torchvision's; the head is its fc.
std::string TorchvisionKey(const std::string& name) {
  if (name.starts_with("trunk.")) return name.substr(6);
  if (name.starts_with("f.head")) return "fc" + name.substr(6);
  return name.substr(2);
}

void FillAsTorchvision(const TensorList& tensors) {
  FillByFormula(tensors.parameters(), TorchvisionKey);
  FillByFormula(tensors.buffers(), TorchvisionKey);
}

struct Parts {
  Parts(const Case& of, const NetworkOptions& options)
      : plan(PlanOf(of.architecture, of.width)),
        tensors(1, options.type, false),
        trunk(tensors, plan),
        branch(tensors, "f", plan, options) {
    FillAsTorchvision(tensors);
  }
  ResnetPlan plan;
  TensorList tensors;
  Trunk trunk;
  Branch branch;
};

at::Tensor Input(element golden) {
  const int64_t size = golden["image_size"].get_int64();
  return Formula(golden["input_name"].get_string(), {golden["batch"].get_int64(), 3, size, size},
                 golden["input_scale"].get_double());
}

int Classes(element golden) {
  return static_cast<int>(golden["logits_float64"].at(0).get_array().size());
}

TEST(ResnetGolden, EveryStageInDouble) {
  const at::NoGradGuard no_gradient;
  const GoldenJson json("resnet.json");
  for (const element golden : json.root()["cases"]) {
    const std::string name(golden["name"].get_string().value());
    NetworkOptions options{.classes = Classes(golden), .head_layers = {}, .type = at::kDouble};
    const Parts parts(CaseOf(name), options);
    const element stages = golden["stages"];
    at::Tensor x = parts.trunk.Stem(Input(golden), Mode::kFrozen);
    ExpectFingerprint(x, stages["stem"], 1e-9, name + " stem");
    for (int i = 0; i < 3; ++i) {
      x = parts.trunk.stages()[i].Forward(x, Mode::kFrozen);
      const std::string layer = "layer" + std::to_string(i + 1);
      ExpectFingerprint(x, stages[layer], 1e-9, name + " " + layer);
    }
    x = parts.branch.layer4().Forward(x, Mode::kFrozen);
    ExpectFingerprint(x, stages["layer4"], 1e-9, name + " layer4");
    x = Branch::Pool(x);
    ExpectFingerprint(x, stages["pooled"], 1e-9, name + " pooled");
    element pooled;
    if (golden["pooled"].get(pooled) == simdjson::SUCCESS) {
      ExpectClose(x, Matrix(pooled), 1e-9, name + " pooled in full");
    }
    ExpectClose(parts.branch.Head(x), Matrix(golden["logits_float64"]), 1e-9, name + " logits");
    int64_t parameters = 0;
    for (const auto& named : parts.tensors.parameters()) parameters += named.tensor.numel();
    EXPECT_EQ(parameters, golden["parameters"].get_int64().value()) << name;
  }
}

TEST(ResnetGolden, LogitsInFloat32ThroughTheNetwork) {
  const GoldenJson json("resnet.json");
  for (const element golden : json.root()["cases"]) {
    const std::string name(golden["name"].get_string().value());
    const auto [architecture, width] = CaseOf(name);
    const auto network = MustCreate({.architecture = architecture,
                                     .width = width,
                                     .classes = Classes(golden),
                                     .head_layers = {},
                                     .branches = Branches::kUniform});
    FillByFormula(network->parameters(), TorchvisionKey);
    FillByFormula(network->buffers(), TorchvisionKey);
    const at::Tensor input = Input(golden).to(at::kFloat);
    const Logits logits = network->ForwardFrozen(input, input.size(0));
    ExpectClose(logits.u, Matrix(golden["logits_float32"]), 1e-4, name);
    ExpectClose(network->Predict(input), Matrix(golden["logits_float32"]).sigmoid(), 1e-4, name);
  }
}

TEST(ResnetGolden, WeightsFromAFileGiveTheSameNetwork) {
  const GoldenJson json("resnet.json");
  for (const element golden : json.root()["cases"]) {
    const std::string name(golden["name"].get_string().value());
    const auto [architecture, width] = CaseOf(name);
    if (width != 8 || name.ends_with("odd")) continue;
    const auto network = MustCreate({.architecture = architecture,
                                     .width = width,
                                     .classes = Classes(golden),
                                     .head_layers = {},
                                     .branches = Branches::kUniform,
                                     .type = at::kDouble});
    const auto file = safetensors::File::Open(Golden(name + ".safetensors"));
    ASSERT_TRUE(file.ok()) << file.status();
    const absl::Status loaded = network->LoadPretrained(*file);
    ASSERT_TRUE(loaded.ok()) << loaded;
    FillByFormula({Named(network->parameters(), "f.head.weight"),
                   Named(network->parameters(), "f.head.bias")},
                  TorchvisionKey);
    const at::Tensor input = Input(golden);
    ExpectClose(network->ForwardFrozen(input, input.size(0)).u, Matrix(golden["logits_float64"]),
                1e-9, name);
  }
}

void ExpectTorchvisionShapes(Architecture architecture, element shapes) {
  const auto network = MustCreate({.architecture = architecture,
                                   .classes = 20,
                                   .head_layers = {},
                                   .branches = Branches::kUniform});
  std::set<std::string> ours;
  for (const auto* list : {&network->parameters(), &network->buffers()}) {
    for (const auto& [name, tensor] : *list) {
      const std::string key = TorchvisionKey(name);
      ours.insert(key);
      element shape;
      ASSERT_EQ(shapes[key].get(shape), simdjson::SUCCESS) << key;
      EXPECT_EQ(tensor.sizes().vec(), Whole(shape)) << key;
    }
  }
  for (const auto [key, shape] : simdjson::dom::object(shapes)) {
    EXPECT_TRUE(key.ends_with("num_batches_tracked") || ours.contains(std::string(key))) << key;
  }
}

TEST(ResnetGolden, NamesAndShapesAreTorchvisions) {
  const GoldenJson json("resnet.json");
  const element shapes = json.root()["state_dict_shapes"];
  ExpectTorchvisionShapes(Architecture::kResnet18, shapes["resnet18"]);
  ExpectTorchvisionShapes(Architecture::kResnet50, shapes["resnet50"]);
}

// Published parameter counts of the 1000-class networks.
TEST(Resnet, DeeperNetworksHaveTheirPublishedSize) {
  const auto count = [](Architecture architecture) {
    const auto network = MustCreate({.architecture = architecture,
                                     .classes = 1000,
                                     .head_layers = {},
                                     .branches = Branches::kUniform});
    int64_t parameters = 0;
    for (const auto& named : network->parameters()) parameters += named.tensor.numel();
    return parameters;
  };
  EXPECT_EQ(count(Architecture::kResnet34), 21'797'672);
  EXPECT_EQ(count(Architecture::kResnet101), 44'549'160);
}

TEST(TrainingStepGolden, FirstStepInTrainingMode) {
  const GoldenJson json("training_step.json");
  for (const element golden : json.root()["cases"]) {
    const std::string name(golden["name"].get_string().value());
    const int classes = static_cast<int>(golden["classes"].get_int64());
    const int64_t batch = golden["batch"].get_int64(), size = golden["image_size"].get_int64();
    const auto network = MustCreate({.architecture = CaseOf(name).architecture,
                                     .width = 8,
                                     .classes = classes,
                                     .head_layers = {},
                                     .type = at::kDouble});
    const auto same = [](const std::string& key) { return key; };
    FillByFormula(network->parameters(), same);
    FillByFormula(network->buffers(), same);
    const Logits logits =
        network->Forward(Formula(name + "/x/0", {2 * batch, 3, size, size}, 2.0), batch);
    const element step = golden["steps"].at(0);
    ExpectClose(logits.u, Matrix(step["logits"]["u"]), 1e-8, name + " u");
    ExpectClose(logits.u_hat, Matrix(step["logits"]["u_hat"]), 1e-8, name + " u_hat");
    ExpectClose(logits.r, Matrix(step["logits"]["r"]), 1e-8, name + " r");
    ExpectClose(logits.r_hat, Matrix(step["logits"]["r_hat"]), 1e-8, name + " r_hat");
    const LossTerms loss = Loss(
        logits, Matrix(step["labels"]["u"]), Matrix(step["labels"]["r"]), Vector(golden["rho"]),
        CompensationTensors::From(statistics::Compensation::Neutral(classes), at::kDouble),
        {.consistency = golden["lambda"].get_double(), .global_batch = batch});
    EXPECT_NEAR(loss.total.item<double>(), step["loss"].get_double(), 1e-8) << name;
    loss.total.backward();
    for (const auto& [key, tensor] : network->parameters()) {
      ExpectFingerprint(tensor.grad(), step["gradient"][key], 1e-8, name + " " + key);
    }
  }
}

}  // namespace
}  // namespace ltml::model
