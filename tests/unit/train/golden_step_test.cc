#include "tests/unit/train/fixture.h"
#include "tests/unit/train/golden.h"
#include "worker/collective/collectives.h"

namespace ltml::train {
namespace {

// Weights by the formula of the golden files, in double from float32.
at::Tensor FormulaTensor(const std::string& name, at::IntArrayRef shape) {
  const int64_t count = c10::multiply_integers(shape);
  std::vector<double> values = Unit(name, count);
  const bool norm_weight = shape.size() == 1 && name.ends_with("weight");
  for (double& v : values) {
    if (shape.size() == 4) {
      v *= std::sqrt(6.0 / static_cast<double>(shape[1] * shape[2] * shape[3]));
    } else if (shape.size() == 2) {
      v *= std::sqrt(1.0 / static_cast<double>(shape[1]));
    } else if (norm_weight) {
      v = 0.75 + 0.25 * v;
    } else if (name.ends_with("running_var")) {
      v = 1 + 0.5 * v;
    } else {
      v *= 0.1;
    }
    v = static_cast<float>(v);
  }
  return at::tensor(values, at::kDouble).view(shape);
}

void FillByFormula(const std::vector<model::NamedTensor>& tensors) {
  const at::NoGradGuard no_grad;
  for (model::NamedTensor named : tensors) {
    named.tensor.copy_(FormulaTensor(named.name, named.tensor.sizes()));
  }
}

class GoldenBatches : public BatchSource {
 public:
  explicit GoldenBatches(const Golden& item) : item_(item), steps_(item["steps"].items()) {}

  absl::StatusOr<const Batch*> Next(int64_t step, std::chrono::nanoseconds) override {
    const auto images = static_cast<int64_t>(item_["batch"].number());
    const auto size = static_cast<int64_t>(item_["image_size"].number());
    batch_ = {};
    batch_.step = step;
    batch_.uniform_images = batch_.rebalanced_images = images;
    const std::string name = item_["name"].text() + "/x/" + std::to_string(step);
    for (const double x : Unit(name, 2 * images * 3 * size * size)) {
      batch_.pixels_B3HW.push_back(static_cast<float>(2 * x));
    }
    for (const char* stream : {"u", "r"}) {
      for (const Golden& row : steps_[static_cast<size_t>(step)]["labels"][stream].items()) {
        for (const double y : row.numbers()) batch_.labels_BK.push_back(static_cast<float>(y));
      }
    }
    return &batch_;
  }

 private:
  Golden item_;
  std::vector<Golden> steps_;
  Batch batch_;
};

constexpr double kTolerance = 1e-8;

void ExpectFingerprint(const at::Tensor& tensor, const Golden& expected, const std::string& name) {
  const at::Tensor flat = tensor.detach().contiguous().reshape(-1);
  const double norm = expected["norm"].number();
  const double scale = std::max(norm, 1e-3);
  EXPECT_NEAR(flat.norm().item<double>(), norm, kTolerance * scale) << name;
  EXPECT_NEAR(flat.sum().item<double>(), expected["sum"].number(),
              kTolerance * scale * std::sqrt(static_cast<double>(flat.numel())))
      << name;
  const std::vector<double> first = expected["first"].numbers();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_NEAR(flat[static_cast<int64_t>(i)].item<double>(), first[i], kTolerance * scale)
        << name << " element " << i;
  }
}

void ExpectFingerprints(const std::vector<model::NamedTensor>& tensors, const Golden& expected,
                        size_t least) {
  size_t compared = 0;
  for (const model::NamedTensor& named : tensors) {
    if (named.name.starts_with("compensation.")) continue;
    ASSERT_TRUE(expected.Has(named.name)) << named.name;
    ExpectFingerprint(named.tensor, expected[named.name], named.name);
    ++compared;
  }
  EXPECT_GE(compared, least);
}

TrainerOptions OptionsOf(const Golden& item) {
  TrainerOptions options;
  options.learning_rate = item["lr"].number();
  options.momentum = item["momentum"].number();
  options.weight_decay = item["weight_decay"].number();
  options.steps = static_cast<int64_t>(item["steps"].items().size());
  options.milestones = {};
  options.global_batch = static_cast<int64_t>(item["batch"].number());
  options.compensation =
      item["mode"].text() == "learnable" ? CompensationMode::kLearnable : CompensationMode::kNone;
  options.consistency = item["lambda"].number();
  options.rho = item["rho"].numbers();
  options.image_size = static_cast<int64_t>(item["image_size"].number());
  options.log_every_steps = 1;
  options.bucket_bytes = 100'000;
  return options;
}

void ExpectLoss(const StepReport& report, const Golden& step) {
  const Golden terms = step["terms"];
  EXPECT_NEAR(report.loss, step["loss"].number(), 1e-8);
  EXPECT_NEAR(report.classification_uniform, terms["cls_u"].number(), 1e-8);
  EXPECT_NEAR(report.classification_rebalanced, terms["cls_r"].number(), 1e-8);
  EXPECT_NEAR(report.consistency, terms["con_u"].number() + terms["con_r"].number(), 1e-8);
}

void ExpectLearned(const std::vector<model::NamedTensor>& tensors, const Golden& item) {
  int compared = 0;
  for (const model::NamedTensor& named : tensors) {
    if (!named.name.starts_with("compensation.")) continue;
    const bool uniform = named.name.find("uniform") != std::string::npos;
    const bool positive = named.name.find("positive") != std::string::npos;
    const bool sigma = named.name.ends_with("sigma");
    const std::vector<double> expected =
        item[sigma ? "final_sigma" : "final_mu"][uniform ? "u" : "r"][positive ? "pos" : "neg"]
            .numbers();
    for (size_t k = 0; k < expected.size(); ++k) {
      EXPECT_NEAR(named.tensor[static_cast<int64_t>(k)].item<double>(), expected[k], kTolerance)
          << named.name;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 8);
}

void RunCase(const Golden& item) {
  const std::vector<Golden> steps = item["steps"].items();
  const int classes = static_cast<int>(item["classes"].number());
  model::NetworkOptions shape = SmallNetwork(classes, at::kDouble);
  if (item["depth"].number() == 50) shape.architecture = model::Architecture::kResnet50;
  shape.width = static_cast<int>(item["width"].number());
  auto network = model::Network::Create(shape, 1).value();
  FillByFormula(network->parameters());
  FillByFormula(network->buffers());
  const TrainerOptions options = OptionsOf(item);
  const auto collective = collective::MakeSingle();
  Coordinator coordinator(1, classes, 0.9, options.window);
  Grants grants(coordinator);
  GoldenBatches batches(item);
  RecordingMonitor monitor;
  auto trainer =
      Trainer::Create(options, {*network, *collective, grants, batches, monitor}).value();

  ASSERT_TRUE(trainer->RunUntil(1).ok());
  ExpectFingerprints(trainer->GradientTensors(), steps[0]["gradient"], 60);
  ASSERT_TRUE(trainer->RunUntil(options.steps).ok());
  ASSERT_EQ(monitor.reports.size(), steps.size());
  for (size_t i = 0; i < steps.size(); ++i) ExpectLoss(monitor.reports[i], steps[i]);
  ExpectFingerprints(trainer->ModelTensors(), item["final_state"], 100);
  if (options.compensation == CompensationMode::kLearnable) {
    ExpectLearned(trainer->ModelTensors(), item);
  }
}

TEST(TrainingStep, EqualsGoldenValues) {
  at::set_num_threads(1);
  int cases = 0;
  for (const Golden& item : Golden::Read("training_step.json")["cases"].items()) {
    SCOPED_TRACE(item["name"].text());
    RunCase(item);
    ++cases;
  }
  EXPECT_EQ(cases, 4);
}

}  // namespace
}  // namespace ltml::train
