#include "worker/train/parallel.h"

#include <omp.h>

#include <algorithm>

namespace ltml::train {

void InParallel(int64_t begin, int64_t end, int64_t grain,
                const std::function<void(int64_t, int64_t)>& body) {
  if (begin >= end) return;
  const int64_t all = end - begin;
  const int64_t most = std::max<int64_t>(all / grain, 1);
  // All threads or none, though some may have nothing to do: GNU's OpenMP ends threads that a
  // smaller team leaves out.
  if (most == 1 || omp_in_parallel() != 0) return body(begin, end);
#pragma omp parallel
  {
    const int64_t part = omp_get_thread_num();
    const int64_t parts = std::min<int64_t>(most, omp_get_num_threads());
    if (part < parts) body(begin + all * part / parts, begin + all * (part + 1) / parts);
  }
}

}  // namespace ltml::train
