#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/status_macros.h"
#include "common/image/image.h"
#include "common/image/resize_kernels.h"
#include "common/image/resizer.h"
#include "fmt/format.h"

namespace ltml::image {
namespace {

constexpr int64_t kMaxOutputPixels = 178'000'000;

absl::Status CheckArea(const Area& area, const View& view) {
  if (area.left >= 0 && area.top >= 0 && area.left < area.right && area.top < area.bottom &&
      area.right <= view.width && area.bottom <= view.height) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("the box [{}, {}) x [{}, {}) is empty or not within {} x {} pixels", area.left,
                  area.right, area.top, area.bottom, view.width, view.height));
}

absl::Status CheckOutput(int64_t width, int64_t height) {
  if (width >= 1 && height >= 1 && width <= kMaxOutputPixels / height) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "cannot resize to {} x {} pixels, expected 1..{} pixels", width, height, kMaxOutputPixels));
}

absl::Status CheckPlan(const Resizer::Plan& plan, const View& view) {
  const Box& window = plan.window;
  LTML_RETURN_IF_ERROR(CheckArea(plan.area, view));
  LTML_RETURN_IF_ERROR(
      CheckOutput(int64_t{window.right} - window.left, int64_t{window.bottom} - window.top));
  if (window.left >= 0 && window.top >= 0 && window.right <= plan.width &&
      window.bottom <= plan.height) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("the window [{}, {}) x [{}, {}) is not within {} x {} pixels", window.left,
                  window.right, window.top, window.bottom, plan.width, plan.height));
}

Image FromPixels(std::span<const uint32_t> pixels, int width, int height) {
  Image image{width, height, std::vector<uint8_t>(3 * pixels.size())};
  uint8_t* to = image.rgb.data();
  for (const uint32_t pixel : pixels) {
    *to++ = static_cast<uint8_t>(pixel);
    *to++ = static_cast<uint8_t>(pixel >> 8);
    *to++ = static_cast<uint8_t>(pixel >> 16);
  }
  return image;
}

absl::StatusOr<Image> ResizeImage(const Image& image, const Resizer::Plan& plan) {
  LTML_ASSIGN_OR_RETURN(const View view, ViewOf(image));
  Resizer resizer;
  LTML_ASSIGN_OR_RETURN(const std::span<const uint32_t> pixels, resizer.Resize(view, plan));
  const Box& window = plan.window;
  return FromPixels(pixels, window.right - window.left, window.bottom - window.top);
}

}  // namespace

absl::StatusOr<View> ViewOf(const Image& image) {
  if (image.width >= 1 && image.height >= 1 &&
      image.rgb.size() == size_t{3} * image.width * image.height) {
    return View{image.rgb.data(), image.width, image.height, size_t{3} * image.width};
  }
  return absl::InvalidArgumentError(
      fmt::format("cannot resize an image of {} x {} pixels in {} bytes", image.width, image.height,
                  image.rgb.size()));
}

absl::StatusOr<std::span<const uint32_t>> Resizer::Resize(const View& view, const Plan& plan) {
  LTML_RETURN_IF_ERROR(CheckPlan(plan, view));
  const Box& window = plan.window;
  across_.Make(
      {view.width, plan.area.left, plan.area.right, plan.width, window.left, window.right});
  down_.Make(
      {view.height, plan.area.top, plan.area.bottom, plan.height, window.top, window.bottom});
  const int width = across_.outputs(), rows = down_.last() - down_.first();
  between_.resize(std::max(between_.size(), size_t{1} * width * rows));
  ResizeRows(view, down_.first(), rows, plan.mirror);
  out_.resize(std::max(out_.size(), size_t{1} * width * down_.outputs()));
  for (int y = 0; y < down_.outputs(); ++y) {
    const size_t from = size_t{1} * width * (down_.start(y) - down_.first());
    BestKernels().down(down_, y,
                       {between_.data() + from, out_.data() + size_t{1} * width * y, width});
  }
  return std::span<const uint32_t>(out_).first(size_t{1} * width * down_.outputs());
}

// [rows, in_width, 3] -> between_ [rows, outputs]
void Resizer::ResizeRows(const View& view, int first_row, int rows, bool mirror) {
  const int width = across_.outputs();
  for (int y = 0; y < rows; y += ResizeKernels::kRows) {
    ResizeKernels::Rows some;
    some.step = mirror ? -1 : 1;
    for (int r = 0; r < ResizeKernels::kRows; ++r) {
      const int row = std::min(y + r, rows - 1);
      some.from[r] = SafeRow(view, first_row + row);
      some.to[r] = between_.data() + size_t{1} * width * row + (mirror ? width - 1 : 0);
    }
    BestKernels().across(across_, some);
  }
}

// A row behind which the kernels may read: the next row follows, or the row is copied.
const uint8_t* Resizer::SafeRow(const View& view, int y) {
  const size_t row_bytes = size_t{3} * view.width;
  if (y + 1 < view.height && view.stride >= ResizeKernels::kOverread) return view.row(y);
  const size_t place = (row_bytes + ResizeKernels::kOverread) * (y % ResizeKernels::kRows);
  copied_rows_.resize(
      std::max(copied_rows_.size(), ResizeKernels::kRows * (row_bytes + ResizeKernels::kOverread)));
  std::copy_n(view.row(y), row_bytes, copied_rows_.data() + place);
  return copied_rows_.data() + place;
}

absl::StatusOr<Image> Resize(const Image& image, Box box, int out_width, int out_height) {
  const Area area{static_cast<double>(box.left), static_cast<double>(box.top),
                  static_cast<double>(box.right), static_cast<double>(box.bottom)};
  return ResizeImage(image, {area, out_width, out_height, {0, 0, out_width, out_height}});
}

absl::StatusOr<Image> ResizeWindow(const Image& image, int out_width, int out_height, Box window) {
  const Area area{0, 0, static_cast<double>(image.width), static_cast<double>(image.height)};
  return ResizeImage(image, {area, out_width, out_height, window});
}

absl::StatusOr<Image> FitOnWhiteSquare(const Image& image, int side) {
  LTML_RETURN_IF_ERROR(ViewOf(image).status());
  LTML_RETURN_IF_ERROR(CheckOutput(side, side));
  const int longer = std::max(image.width, image.height);
  const double scale = std::min(1.0, static_cast<double>(side) / longer);
  const int width = std::max(1, static_cast<int>(std::lround(image.width * scale)));
  const int height = std::max(1, static_cast<int>(std::lround(image.height * scale)));
  LTML_ASSIGN_OR_RETURN(const Image fitted,
                        Resize(image, {0, 0, image.width, image.height}, width, height));
  Image square{side, side, std::vector<uint8_t>(size_t{3} * side * side, 255)};
  const std::ptrdiff_t left = (side - width) / 2, top = (side - height) / 2;
  for (int y = 0; y < height; ++y) {
    std::copy_n(fitted.rgb.begin() + std::ptrdiff_t{3} * width * y, std::ptrdiff_t{3} * width,
                square.rgb.begin() + 3 * ((top + y) * side + left));
  }
  return square;
}

}  // namespace ltml::image
