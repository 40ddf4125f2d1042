#include "common/image/filter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace ltml::image {
namespace {

constexpr int kMaxPrecision = 22;  // 255 x 2^22 still fits int32

// Most bits for which the largest weight still fits int16.
int PrecisionFor(double largest_weight) {
  int precision = 0;
  while (precision < kMaxPrecision && 0.5 + largest_weight * (1 << (precision + 1)) < (1 << 15)) {
    ++precision;
  }
  return precision;
}

// To the nearest integer, halves up; 0 for what is below 0.
int Rounded(double value) { return static_cast<int>(std::max(value + 0.5, 0.0)); }

// Triangle of half-width max(scale, 1) around each output's centre, in samples from low() on.
class Triangle {
 public:
  explicit Triangle(const Axis& axis)
      : low_(static_cast<int>(std::floor(axis.begin))),
        size_(static_cast<int>(std::ceil(axis.end)) - low_),
        offset_(axis.begin - low_),
        scale_((axis.end - axis.begin) / axis.out_size),
        support_(std::max(scale_, 1.0)) {}

  int low() const { return low_; }
  int taps() const { return std::min(static_cast<int>(std::ceil(support_)) * 2 + 1, size_); }

  struct Reach {
    int begin, end;
  };
  Reach ReachOf(double centre) const {
    return {Rounded(centre - support_), std::min(Rounded(centre + support_), size_)};
  }
  double CentreOf(int i) const { return offset_ + scale_ * (i + 0.5); }
  // Weights of the samples in reach.
  void WeightsAt(double centre, Reach reach, double* weights) const {
    double sum = 0;
    for (int j = reach.begin; j < reach.end; ++j) {
      const double weight = std::max(0.0, 1.0 - std::abs((j - centre + 0.5) / support_));
      weights[j - reach.begin] = weight;
      sum += weight;
    }
    for (int j = 0; j < reach.end - reach.begin; ++j) weights[j] /= sum;
  }

 private:
  int low_;
  int size_;
  double offset_;
  double scale_;
  double support_;
};

}  // namespace

void Filter::Make(const Axis& axis) {
  const Triangle triangle(axis);
  const size_t outputs = axis.out_end - axis.out_begin;
  stride_ = (triangle.taps() + 3) / 4 * 4;
  starts_.resize(outputs);
  counts_.resize(outputs);
  exact_.assign(outputs * stride_, 0.0);
  weights_.resize(exact_.size());
  for (size_t i = 0; i < outputs; ++i) {
    const double centre = triangle.CentreOf(axis.out_begin + static_cast<int>(i));
    const Triangle::Reach reach = triangle.ReachOf(centre);
    triangle.WeightsAt(centre, reach, exact_.data() + i * stride_);
    starts_[i] = triangle.low() + reach.begin;
    counts_[i] = reach.end - reach.begin;
  }
  precision_ = PrecisionFor(*std::max_element(exact_.begin(), exact_.end()));
  const double unit = 1 << precision_;
  std::transform(exact_.begin(), exact_.end(), weights_.begin(),
                 [unit](double weight) { return static_cast<int16_t>(Rounded(weight * unit)); });
}

}  // namespace ltml::image
