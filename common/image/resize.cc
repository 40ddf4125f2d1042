#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/status_macros.h"
#include "common/image/image.h"
#include "fmt/format.h"

namespace ltml::image {
namespace {

constexpr int64_t kMaxOutputPixels = 178'000'000;
constexpr int kMaxPrecision = 22;  // 255 x 2^22 still fits int32

// One axis of a resize: `in_size` samples from in_begin on become `out_size`; wanted are the
// outputs [out_begin, out_end).
struct Axis {
  int in_begin = 0, in_size = 0;
  int out_size = 0, out_begin = 0, out_end = 0;
};

// Weights of each wanted output in fixed point: output i is the sum over j < counts[i] of
// weights[i * taps + j] * input[starts[i] + j], rounded and shifted right by `precision`.
struct Filter {
  int taps = 0;
  int precision = 0;
  std::vector<int> starts;
  std::vector<int> counts;
  std::vector<int16_t> weights;
};

// Most bits for which the largest weight still fits int16.
int PrecisionFor(double largest_weight) {
  int precision = 0;
  while (precision < kMaxPrecision && 0.5 + largest_weight * (1 << (precision + 1)) < (1 << 15)) {
    ++precision;
  }
  return precision;
}

int HalfUp(double value) { return static_cast<int>(std::floor(value + 0.5)); }

// Triangle of half-width max(scale, 1) around each output's centre, cut at the borders, sum 1.
class TriangleWeights {
 public:
  explicit TriangleWeights(const Axis& axis)
      : axis_(axis),
        scale_(static_cast<double>(axis.in_size) / axis.out_size),
        support_(std::max(scale_, 1.0)) {}

  int taps() const { return static_cast<int>(std::ceil(support_)) * 2 + 1; }

  // First input sample and weights of output i.
  int At(int i, std::vector<double>& weights) const {
    const double center = scale_ * (i + 0.5);
    const int begin = std::max(HalfUp(center - support_), 0);
    const int end = std::min(HalfUp(center + support_), axis_.in_size);
    weights.resize(end - begin);
    double sum = 0;
    for (int j = 0; j < end - begin; ++j) {
      const double distance = std::abs((j + begin - center + 0.5) / support_);
      weights[j] = std::max(0.0, 1.0 - distance);
      sum += weights[j];
    }
    for (double& weight : weights) weight /= sum;
    return begin;
  }

 private:
  const Axis& axis_;
  double scale_;
  double support_;
};

Filter MakeFilter(const Axis& axis) {
  const TriangleWeights triangle(axis);
  Filter filter;
  filter.taps = std::min(triangle.taps(), axis.in_size);
  const int outputs = axis.out_end - axis.out_begin;
  filter.starts.reserve(outputs);
  filter.counts.reserve(outputs);
  std::vector<double> exact(size_t{1} * outputs * filter.taps, 0.0);
  std::vector<double> row;
  for (int i = 0; i < outputs; ++i) {
    filter.starts.push_back(axis.in_begin + triangle.At(axis.out_begin + i, row));
    filter.counts.push_back(static_cast<int>(row.size()));
    std::copy(row.begin(), row.end(), exact.begin() + std::ptrdiff_t{1} * i * filter.taps);
  }
  filter.precision = PrecisionFor(*std::max_element(exact.begin(), exact.end()));
  filter.weights.resize(exact.size());
  std::transform(exact.begin(), exact.end(), filter.weights.begin(), [&](double weight) {
    return static_cast<int16_t>(HalfUp(weight * (1 << filter.precision)));
  });
  return filter;
}

uint8_t Round(int32_t sum, int precision) {
  return static_cast<uint8_t>(std::clamp(sum >> precision, 0, 255));
}

// [in_rows, in_width, 3] -> [rows, outputs, 3] for the rows [first_row, first_row + rows).
void ResizeRows(const Image& in, int first_row, int rows, const Filter& filter, Image& out) {
  const int32_t half = filter.precision > 0 ? 1 << (filter.precision - 1) : 0;
  uint8_t* to = out.rgb.data();
  for (int y = 0; y < rows; ++y) {
    const uint8_t* row = in.rgb.data() + size_t{3} * in.width * (first_row + y);
    for (int x = 0; x < out.width; ++x, to += 3) {
      const uint8_t* from = row + size_t{3} * filter.starts[x];
      const int16_t* weights = filter.weights.data() + size_t{1} * x * filter.taps;
      int32_t red = half, green = half, blue = half;
      for (int j = 0; j < filter.counts[x]; ++j, from += 3) {
        red += weights[j] * from[0];
        green += weights[j] * from[1];
        blue += weights[j] * from[2];
      }
      to[0] = Round(red, filter.precision);
      to[1] = Round(green, filter.precision);
      to[2] = Round(blue, filter.precision);
    }
  }
}

void AddWeighted(const uint8_t* row, int16_t weight, size_t bytes, int32_t* sums) {
  for (size_t i = 0; i < bytes; ++i) sums[i] += weight * static_cast<int16_t>(row[i]);
}

// [rows, width, 3] -> [outputs, width, 3]; row 0 of `in` is input row `first_row`.
void ResizeColumns(const Image& in, int first_row, const Filter& filter, Image& out) {
  const int32_t half = filter.precision > 0 ? 1 << (filter.precision - 1) : 0;
  const size_t bytes = size_t{3} * in.width;
  std::vector<int32_t> sums(bytes);
  for (int y = 0; y < out.height; ++y) {
    std::fill(sums.begin(), sums.end(), half);
    const uint8_t* from = in.rgb.data() + bytes * (filter.starts[y] - first_row);
    const int16_t* weights = filter.weights.data() + size_t{1} * y * filter.taps;
    for (int j = 0; j < filter.counts[y]; ++j) {
      AddWeighted(from + j * bytes, weights[j], bytes, sums.data());
    }
    uint8_t* to = out.rgb.data() + y * bytes;
    for (size_t i = 0; i < bytes; ++i) to[i] = Round(sums[i], filter.precision);
  }
}

Image NewImage(int width, int height) {
  return {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
}

Image ResizeAxes(const Image& image, const Axis& x_axis, const Axis& y_axis) {
  const Filter horizontal = MakeFilter(x_axis);
  const Filter vertical = MakeFilter(y_axis);
  const int first_row = vertical.starts.front();
  const int last_row = vertical.starts.back() + vertical.counts.back();
  Image between = NewImage(x_axis.out_end - x_axis.out_begin, last_row - first_row);
  ResizeRows(image, first_row, between.height, horizontal, between);
  Image out = NewImage(between.width, y_axis.out_end - y_axis.out_begin);
  ResizeColumns(between, first_row, vertical, out);
  return out;
}

absl::Status CheckImage(const Image& image) {
  if (image.width >= 1 && image.height >= 1 &&
      image.rgb.size() == size_t{3} * image.width * image.height) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("cannot resize an image of {} x {} pixels in {} bytes", image.width, image.height,
                  image.rgb.size()));
}

absl::Status CheckBox(Box box, int width, int height) {
  if (box.left >= 0 && box.top >= 0 && box.left < box.right && box.top < box.bottom &&
      box.right <= width && box.bottom <= height) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("the box [{}, {}) x [{}, {}) is empty or not within {} x {} pixels", box.left,
                  box.right, box.top, box.bottom, width, height));
}

absl::Status CheckOutput(int64_t width, int64_t height) {
  if (width >= 1 && height >= 1 && width <= kMaxOutputPixels / height) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "cannot resize to {} x {} pixels, expected 1..{} pixels", width, height, kMaxOutputPixels));
}

}  // namespace

absl::StatusOr<Image> Resize(const Image& image, Box box, int out_width, int out_height) {
  LTML_RETURN_IF_ERROR(CheckImage(image));
  LTML_RETURN_IF_ERROR(CheckBox(box, image.width, image.height));
  LTML_RETURN_IF_ERROR(CheckOutput(out_width, out_height));
  return ResizeAxes(image, {box.left, box.right - box.left, out_width, 0, out_width},
                    {box.top, box.bottom - box.top, out_height, 0, out_height});
}

absl::StatusOr<Image> ResizeWindow(const Image& image, int out_width, int out_height, Box window) {
  LTML_RETURN_IF_ERROR(CheckImage(image));
  LTML_RETURN_IF_ERROR(CheckBox(window, out_width, out_height));
  LTML_RETURN_IF_ERROR(
      CheckOutput(int64_t{window.right} - window.left, int64_t{window.bottom} - window.top));
  return ResizeAxes(image, {0, image.width, out_width, window.left, window.right},
                    {0, image.height, out_height, window.top, window.bottom});
}

absl::StatusOr<Image> FitOnWhiteSquare(const Image& image, int side) {
  LTML_RETURN_IF_ERROR(CheckImage(image));
  LTML_RETURN_IF_ERROR(CheckOutput(side, side));
  const int longer = std::max(image.width, image.height);
  const double scale = std::min(1.0, static_cast<double>(side) / longer);
  const int width = std::max(1, static_cast<int>(std::lround(image.width * scale)));
  const int height = std::max(1, static_cast<int>(std::lround(image.height * scale)));
  LTML_ASSIGN_OR_RETURN(const Image fitted,
                        Resize(image, {0, 0, image.width, image.height}, width, height));
  Image square = NewImage(side, side);
  std::fill(square.rgb.begin(), square.rgb.end(), uint8_t{255});
  const std::ptrdiff_t left = (side - width) / 2, top = (side - height) / 2;
  for (int y = 0; y < height; ++y) {
    std::copy_n(fitted.rgb.begin() + std::ptrdiff_t{3} * width * y, std::ptrdiff_t{3} * width,
                square.rgb.begin() + 3 * ((top + y) * side + left));
  }
  return square;
}

}  // namespace ltml::image
