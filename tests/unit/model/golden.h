#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/safetensors/formula.h"
#include "worker/model/network.h"

namespace ltml::model {

using simdjson::dom::element;

inline std::filesystem::path Golden(std::string_view name) {
  return std::filesystem::path(LTML_SOURCE_DIR) / "tests/golden" / name;
}

// A golden JSON file; must live as long as its elements.
class GoldenJson {
 public:
  explicit GoldenJson(std::string_view name) : root_(parser_.load(Golden(name).string())) {}
  element root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  element root_;
};

inline std::vector<double> Numbers(element list) {
  std::vector<double> numbers;
  for (const element item : list) numbers.push_back(item.get_double());
  return numbers;
}

inline std::vector<int64_t> Whole(element list) {
  std::vector<int64_t> numbers;
  for (const element item : list) numbers.push_back(item.get_int64());
  return numbers;
}

// Rank 1.
inline at::Tensor Vector(element list) { return at::tensor(Numbers(list), at::kDouble); }

// A list of rows.
inline at::Tensor Matrix(element rows) {
  std::vector<at::Tensor> vectors;
  for (const element row : rows) vectors.push_back(Vector(row));
  return at::stack(vectors);
}

// tensor(name, shape, scale) of the golden files, in double.
inline at::Tensor Formula(std::string_view name, at::IntArrayRef shape, double scale) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return at::tensor(testing::Unit(name, count), at::kDouble).reshape(shape) * scale;
}

// |a - b| <= tolerance * max(1, |b|) everywhere.
inline void ExpectClose(const at::Tensor& got, const at::Tensor& want, double tolerance,
                        std::string_view what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const at::Tensor scale = want.to(at::kDouble).abs().clamp_min(1);
  const double worst =
      ((got.detach().to(at::kDouble) - want.to(at::kDouble)).abs() / scale).max().item<double>();
  EXPECT_LE(worst, tolerance) << what;
}

// Shape, sum, norm and first values of a tensor.
inline void ExpectFingerprint(const at::Tensor& got, element want, double tolerance,
                              std::string_view what) {
  const at::Tensor flat = got.detach().to(at::kDouble).contiguous().flatten();
  EXPECT_EQ(got.sizes().vec(), Whole(want["shape"])) << what;
  const double norm = want["norm"].get_double();
  EXPECT_NEAR(flat.sum().item<double>(), want["sum"].get_double(),
              tolerance * std::max(1.0, norm * std::sqrt(flat.numel())))
      << what;
  EXPECT_NEAR(flat.norm().item<double>(), norm, tolerance * std::max(1.0, norm)) << what;
  const at::Tensor first = Vector(want["first"]);
  ExpectClose(flat.slice(0, 0, first.size(0)), first, tolerance * std::max(1.0, norm), what);
}

// Gives every tensor its value by formula.
inline void FillByFormula(const std::vector<NamedTensor>& tensors,
                          const std::function<std::string(const std::string&)>& key) {
  const at::NoGradGuard no_gradient;
  for (const auto& [name, tensor] : tensors) {
    const auto values = testing::StateEntry(key(name), tensor.sizes().vec());
    tensor.copy_(at::tensor(values, at::kFloat).reshape(tensor.sizes()));
  }
}

inline const NamedTensor& Named(const std::vector<NamedTensor>& tensors, std::string_view name) {
  for (const NamedTensor& named : tensors) {
    if (named.name == name) return named;
  }
  throw std::out_of_range(std::string(name));
}

inline std::unique_ptr<Network> MustCreate(const NetworkOptions& options, uint64_t seed = 1) {
  auto network = Network::Create(options, seed);
  EXPECT_TRUE(network.ok()) << network.status();
  return network.ok() ? *std::move(network) : nullptr;
}

}  // namespace ltml::model
