#include "worker/model/initialisation.h"

#include <cmath>
#include <numbers>

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

// ln(x) for x > 0.  The C library's logarithm may differ in the last bit from one version to the
// next.
double Logarithm(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < std::numbers::sqrt2 / 2) {
    m *= 2;
    --exponent;
  }
  const double t = (m - 1) / (m + 1);
  double sum = 0;
  for (int k = 12; k >= 0; --k) sum = sum * (t * t) + 1.0 / (2 * k + 1);
  return exponent * std::numbers::ln2 + 2 * t * sum;
}

struct Pair {
  double first, second;
};

// Two independent standard normal numbers.
Pair NormalPair(const Numbers& numbers, uint64_t number) {
  // A point misses the unit circle with probability 0.22: 2^-141 for all 64.
  constexpr uint64_t kAttempts = 64;
  for (uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
    const uint64_t bits = numbers.At(number * kAttempts + attempt);
    const double a = (static_cast<double>(bits >> 32) + 0.5) / 0x1p31 - 1;
    const double b = (static_cast<double>(bits & 0xffffffff) + 0.5) / 0x1p31 - 1;
    const double square = a * a + b * b;
    if (square >= 1) continue;
    const double factor = std::sqrt(-2 * Logarithm(square) / square);
    return {a * factor, b * factor};
  }
  return {0, 0};
}

}  // namespace

std::vector<double> UniformValues(uint64_t seed, std::string_view name, int64_t count,
                                  double bound) {
  const Numbers numbers(seed, name);
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = bound * (static_cast<double>(numbers.At(i) >> 11) / 0x1p52 - 1);
  }
  return values;
}

std::vector<double> NormalValues(uint64_t seed, std::string_view name, int64_t count,
                                 double deviation) {
  const Numbers numbers(seed, name);
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; i += 2) {
    const Pair pair = NormalPair(numbers, i / 2);
    values[i] = deviation * pair.first;
    if (i + 1 < count) values[i + 1] = deviation * pair.second;
  }
  return values;
}

}  // namespace ltml::model
