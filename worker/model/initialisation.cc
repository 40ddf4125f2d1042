#include "worker/model/initialisation.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>

#include "common/base/cpu.h"

namespace ltml::model {
namespace {

constexpr uint64_t kGamma = 0x9e3779b97f4a7c15;

uint64_t Mix(uint64_t z) {
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// The SplitMix64 sequence of one tensor, at any place in it.
class Numbers {
 public:
  Numbers(uint64_t seed, std::string_view name) : key_(Mix(Fnv1a(name) + Mix(seed + kGamma))) {}
  uint64_t At(uint64_t counter) const { return Mix(key_ + (counter + 1) * kGamma); }

 private:
  uint64_t key_;
};

// ln(x) for normal x > 0.  The C library's logarithm may differ in the last bit from one version to
// the next.
LTML_KERNEL double Logarithm(double x) {
  // x = m 2^exponent, m from sqrt(1/2) to sqrt(2).
  constexpr int64_t kFraction = (int64_t{1} << 52) - 1;
  const auto bits = std::bit_cast<int64_t>(x);
  const double half = std::bit_cast<double>((bits & kFraction) | int64_t{1022} << 52);
  const int exponent_of_half = static_cast<int>(bits >> 52) - 1022;
  const bool small = half < std::numbers::sqrt2 / 2;
  const double m = small ? 2 * half : half;
  const int exponent = small ? exponent_of_half - 1 : exponent_of_half;
  const double t = (m - 1) / (m + 1);
  double sum = 0;
  for (int k = 12; k >= 0; --k) sum = sum * (t * t) + 1.0 / (2 * k + 1);
  return exponent * std::numbers::ln2 + 2 * t * sum;
}

// From -1 to 1.
LTML_KERNEL double Coordinate(uint32_t bits) {
  return (static_cast<double>(static_cast<int32_t>(bits ^ 0x80000000)) + 0x1p31 + 0.5) / 0x1p31 - 1;
}

// Points in the square, each of which becomes two independent standard normal numbers if it lies in
// the unit circle.
constexpr size_t kBlock = 512;
struct Points {
  uint32_t high[kBlock], low[kBlock];
  double square[kBlock], first[kBlock], second[kBlock];
};
LTML_KERNEL void Polar(int n, Points& points) {
  for (int i = 0; i < n; ++i) {
    const double a = Coordinate(points.high[i]), b = Coordinate(points.low[i]);
    const double square = a * a + b * b;
    const double factor = std::sqrt(-2 * Logarithm(square) / square);
    points.square[i] = square;
    points.first[i] = a * factor;
    points.second[i] = b * factor;
  }
}
LTML_AVX2 void PolarAvx2(int n, Points& points) { Polar(n, points); }
void PolarPortable(int n, Points& points) { Polar(n, points); }

// Pairs of normal numbers from `first_pair` on; pairs whose point missed the circle try again, all
// of them side by side.
class NormalPairs {
 public:
  explicit NormalPairs(const Numbers& numbers) : numbers_(numbers) {}

  void Make(uint64_t first_pair, int count) {
    // A point misses with probability 0.22: 2^-141 for all 64.
    constexpr uint64_t kAttempts = 64;
    std::iota(pending_, pending_ + count, uint64_t{0});
    for (uint64_t attempt = 0; attempt < kAttempts && count > 0; ++attempt) {
      for (int i = 0; i < count; ++i) {
        const uint64_t bits = numbers_.At((first_pair + pending_[i]) * kAttempts + attempt);
        points_.high[i] = static_cast<uint32_t>(bits >> 32);
        points_.low[i] = static_cast<uint32_t>(bits);
      }
      base::HasAvx2() ? PolarAvx2(count, points_) : PolarPortable(count, points_);
      count = Keep(count);
    }
  }
  const double* values() const { return values_; }  // [2 count]

 private:
  // How many missed.
  int Keep(int count) {
    int missed = 0;
    for (int i = 0; i < count; ++i) {
      values_[2 * pending_[i]] = points_.first[i];
      values_[2 * pending_[i] + 1] = points_.second[i];
      pending_[missed] = pending_[i];
      missed += points_.square[i] >= 1 ? 1 : 0;
    }
    return missed;
  }

  const Numbers& numbers_;
  Points points_;
  uint64_t pending_[kBlock];
  double values_[2 * kBlock];
};

}  // namespace

template <typename T>
void FillUniform(uint64_t seed, std::string_view name, double bound, std::span<T> values) {
  const Numbers numbers(seed, name);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<T>(bound * (static_cast<double>(numbers.At(i) >> 11) / 0x1p52 - 1));
  }
}

template <typename T>
void FillNormal(uint64_t seed, std::string_view name, double deviation, std::span<T> values) {
  const Numbers numbers(seed, name);
  NormalPairs pairs(numbers);
  for (size_t begin = 0; begin < values.size(); begin += 2 * kBlock) {
    const size_t count = std::min<size_t>(2 * kBlock, values.size() - begin);
    pairs.Make(begin / 2, static_cast<int>((count + 1) / 2));
    for (size_t i = 0; i < count; ++i) {
      values[begin + i] = static_cast<T>(deviation * pairs.values()[i]);
    }
  }
}

template void FillUniform<float>(uint64_t, std::string_view, double, std::span<float>);
template void FillUniform<double>(uint64_t, std::string_view, double, std::span<double>);
template void FillNormal<float>(uint64_t, std::string_view, double, std::span<float>);
template void FillNormal<double>(uint64_t, std::string_view, double, std::span<double>);

}  // namespace ltml::model
