// usage: ring_rank TASK: adds numbers over all ranks until SIGUSR1 has reached one of them.
#include <mpi.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

std::atomic<bool> asked = false;

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGUSR1, [](int) { asked = true; });
  MPI_Init(&count, &arguments);
  int rank = 0;
  int ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  const char* token = std::getenv("LTML_TOKEN");
  const char* threads = std::getenv("OMP_NUM_THREADS");
  const char* mark = std::getenv("LTML_ATTEMPT");
  // Large enough for the ring; the last number says whether somebody was asked to stop.
  std::vector<float> own(100000, static_cast<float>(rank + 1));
  std::vector<float> sum(own.size());
  for (int round = 0; sum.back() == 0; ++round) {
    own.back() = asked ? 1 : 0;
    MPI_Allreduce(own.data(), sum.data(), static_cast<int>(own.size()), MPI_FLOAT, MPI_SUM,
                  MPI_COMM_WORLD);
    if (round == 0) {
      std::printf("host=%s sum=%g token=%s threads=%s mark=%s\n", host, sum[0],
                  token != nullptr ? token : "", threads != nullptr ? threads : "",
                  mark != nullptr ? mark : "");
      std::fflush(stdout);
    }
    usleep(20000);
  }
  std::printf("asked\n");
  MPI_Finalize();
  return 0;
}
