#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace ltml::model {

// Random numbers for weights as pure functions of (seed, tensor name, index): the i-th number is
// made from the SplitMix64 output at a counter, so a tensor's values depend on no other tensor, and
// only IEEE additions, products, quotients and roots are used, so every machine gets the same bits.

// Uniform in [-bound, bound).
std::vector<double> UniformValues(uint64_t seed, std::string_view name, int64_t count,
                                  double bound);

// Normal with mean 0, by Marsaglia's polar method.
std::vector<double> NormalValues(uint64_t seed, std::string_view name, int64_t count,
                                 double deviation);

}  // namespace ltml::model
