#pragma once

#include <omp.h>

#include <cstdint>

namespace ltml::kernels {

// Runs body(thread, threads) on every OpenMP thread of the caller.
template <typename Body>
void OnThreads(const Body& body) {
#pragma omp parallel
  body(omp_get_thread_num(), omp_get_num_threads());
}

inline int MaxThreads() { return omp_get_max_threads(); }

struct Range {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

// Part `part` of `parts` of [0, items), even to one item.
constexpr Range Share(int64_t items, int part, int parts) {
  return {items * part / parts, items * (part + 1) / parts};
}

// Runs body(i) for every i < items.
template <typename Body>
void ForEach(int64_t items, const Body& body) {
  OnThreads([&](int thread, int threads) {
    const Range mine = Share(items, thread, threads);
    for (int64_t i = mine.begin; i < mine.end; ++i) body(i);
  });
}

}  // namespace ltml::kernels
