#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ltml::model {

// Random numbers for weights as pure functions of (seed, tensor name, index): the i-th number is
// made from the SplitMix64 output at a counter, so a tensor's values depend on no other tensor, and
// only IEEE additions, products, quotients and roots are used, so every machine gets the same bits.

// For float the double results, rounded.

// Uniform in [-bound, bound).
template <typename T>
void FillUniform(uint64_t seed, std::string_view name, double bound, std::span<T> values);

// Normal with mean 0, by Marsaglia's polar method.
template <typename T>
void FillNormal(uint64_t seed, std::string_view name, double deviation, std::span<T> values);

}  // namespace ltml::model
