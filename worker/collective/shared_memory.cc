#include "worker/collective/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/status_macros.h"

namespace ltml::collective {
namespace {

using Clock = std::chrono::steady_clock;

// The start of every rank's memory; its part follows on the next page.
struct Header {
  int64_t cookie = 0;
  alignas(64) std::atomic<uint32_t> arrivals = 0;  // of this rank at the barrier
  // Of rank 0: counts the arrivals of all; whoever waits sleeps on it.
  alignas(64) std::atomic<uint32_t> bell = 0;
};
constexpr int64_t kPage = 4096;
static_assert(sizeof(Header) <= kPage && std::atomic<uint32_t>::is_always_lock_free);

class Mapping {
 public:
  Mapping() = default;
  Mapping(const base::Descriptor& file, size_t size) : size_(size) {
    void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (data != MAP_FAILED) data_ = static_cast<std::byte*>(data);
  }
  Mapping(Mapping&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }
  bool valid() const { return data_ != nullptr; }
  Header& header() const { return *reinterpret_cast<Header*>(data_); }
  std::byte* part() const { return data_ + kPage; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

class Shared final : public train::SharedMemory {
 public:
  Shared(std::vector<Mapping> ranks, int rank) : ranks_(std::move(ranks)), rank_(rank) {}

  std::byte* part(int rank) override { return ranks_[rank].part(); }

  absl::Status Barrier(std::chrono::nanoseconds timeout) override {
    const uint32_t round = ++round_;
    ranks_[rank_].header().arrivals.store(round);
    bell().fetch_add(1);
    Futex(FUTEX_WAKE, INT_MAX, nullptr);
    const Clock::time_point deadline = Clock::now() + timeout;
    for (int turn = 0;; ++turn) {
      const uint32_t heard = bell().load();
      if (AllCame(round)) return absl::OkStatus();
      if (turn < kSpins) continue;
      const auto left = deadline - Clock::now();
      if (left <= std::chrono::nanoseconds(0)) return Missing(round, timeout);
      const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
      const timespec pause = {.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
      Futex(FUTEX_WAIT, heard, &pause);
    }
  }

 private:
  // A few microseconds: as long as a wake-up takes.
  static constexpr int kSpins = 200;

  std::atomic<uint32_t>& bell() { return ranks_[0].header().bell; }
  void Futex(int operation, uint32_t value, const timespec* pause) {
    ::syscall(SYS_futex, &bell(), operation, value, pause, nullptr, 0);
  }
  // Counts run round; no rank is ever more than one barrier ahead.
  static bool Came(const Mapping& rank, uint32_t round) {
    return static_cast<int32_t>(rank.header().arrivals.load() - round) >= 0;
  }
  bool AllCame(uint32_t round) const {
    for (const Mapping& rank : ranks_) {
      if (!Came(rank, round)) return false;
    }
    return true;
  }
  absl::Status Missing(uint32_t round, std::chrono::nanoseconds timeout) const {
    std::string ranks;
    for (size_t rank = 0; rank < ranks_.size(); ++rank) {
      if (!Came(ranks_[rank], round)) ranks += fmt::format("{}{}", ranks.empty() ? "" : ", ", rank);
    }
    return absl::DeadlineExceededError(
        fmt::format("rank {} waited {:.3f} s at the shared memory for rank {}", rank_,
                    std::chrono::duration<double>(timeout).count(), ranks));
  }

  const std::vector<Mapping> ranks_;
  const int rank_;
  uint32_t round_ = 0;
};

// What the ranks tell each other of their memory.
enum Field : int { kPlace, kProcess, kFile, kCookie, kFields };

// Equal for processes that see the same processes and the same network: on one machine, and not in
// containers or hosts of their own.
int64_t Place() {
  std::string place;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> place;
  for (const char* space : {"/proc/self/ns/pid", "/proc/self/ns/net"}) {
    struct stat of {};
    if (::stat(space, &of) == 0) place += fmt::format(" {}:{}", of.st_dev, of.st_ino);
  }
  return static_cast<int64_t>(std::hash<std::string>{}(place));
}

int64_t Cookie() {
  std::random_device device;
  return static_cast<int64_t>(uint64_t{device()} << 32 | device());
}

class Builder {
 public:
  Builder(train::Collective& collective, int64_t bytes, std::chrono::nanoseconds timeout)
      : collective_(collective), size_(kPage + bytes), timeout_(timeout) {}

  absl::StatusOr<std::unique_ptr<train::SharedMemory>> Build() {
    absl::Status mine = Make();
    LTML_RETURN_IF_ERROR(Tell());
    if (mine.ok()) mine = OpenAll();
    // Files stay open until all ranks have opened them.
    std::vector<int64_t> failed = {mine.ok() ? 0 : 1};
    LTML_RETURN_IF_ERROR(
        collective_.AllReduceSum(train::BufferOf(std::span<int64_t>(failed)), timeout_));
    LTML_RETURN_IF_ERROR(mine);
    if (failed[0] != 0) {
      return absl::UnavailableError(
          fmt::format("{} of {} ranks cannot share memory", failed[0], collective_.world_size()));
    }
    return std::make_unique<Shared>(std::move(mappings_), collective_.rank());
  }

 private:
  absl::Status Make() {
    file_ = base::Descriptor(::memfd_create("ltml-parameters", MFD_CLOEXEC));
    if (!file_.open() || ::ftruncate(file_.number(), size_) != 0) {
      return absl::ResourceExhaustedError(
          fmt::format("{} bytes of shared memory: {}", size_, std::strerror(errno)));
    }
    own_ = Mapping(file_, size_);
    if (!own_.valid()) {
      return absl::ResourceExhaustedError(
          fmt::format("mapping {} bytes of shared memory: {}", size_, std::strerror(errno)));
    }
    own_.header().cookie = cookie_;
    return absl::OkStatus();
  }

  absl::Status Tell() {
    table_.assign(static_cast<size_t>(collective_.world_size()) * kFields, 0);
    int64_t* const row = Row(collective_.rank());
    row[kPlace] = Place();
    row[kProcess] = ::getpid();
    row[kFile] = file_.number();
    row[kCookie] = cookie_;
    return collective_.AllReduceSum(train::BufferOf(std::span<int64_t>(table_)), timeout_);
  }
  int64_t* Row(int rank) { return table_.data() + static_cast<ptrdiff_t>(rank) * kFields; }

  absl::Status OpenAll() {
    for (int rank = 0; rank < collective_.world_size(); ++rank) {
      if (rank == collective_.rank()) {
        mappings_.push_back(std::move(own_));
      } else {
        LTML_RETURN_IF_ERROR(Open(rank));
      }
    }
    return absl::OkStatus();
  }
  absl::Status Open(int rank) {
    const int64_t* const row = Row(rank);
    if (row[kPlace] != Row(collective_.rank())[kPlace]) {
      return absl::UnavailableError(fmt::format("rank {} is on another host", rank));
    }
    const std::string path = fmt::format("/proc/{}/fd/{}", row[kProcess], row[kFile]);
    const base::Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct stat of {};
    if (!file.open() || ::fstat(file.number(), &of) != 0 || of.st_size != size_) {
      return absl::UnavailableError(
          fmt::format("the memory of rank {}, '{}', cannot be opened: {}", rank, path,
                      file.open() ? "it is not the same" : std::strerror(errno)));
    }
    Mapping mapping(file, size_);
    if (!mapping.valid() || mapping.header().cookie != row[kCookie]) {
      return absl::UnavailableError(
          fmt::format("the memory of rank {}, '{}', cannot be mapped", rank, path));
    }
    mappings_.push_back(std::move(mapping));
    return absl::OkStatus();
  }

  train::Collective& collective_;
  const int64_t size_;
  const std::chrono::nanoseconds timeout_;
  const int64_t cookie_ = Cookie();
  base::Descriptor file_;
  Mapping own_;
  std::vector<int64_t> table_;
  std::vector<Mapping> mappings_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<train::SharedMemory>> ShareMemory(train::Collective& collective,
                                                                 int64_t bytes,
                                                                 std::chrono::nanoseconds timeout) {
  return Builder(collective, bytes, timeout).Build();
}

}  // namespace ltml::collective
