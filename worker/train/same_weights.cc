#include "worker/train/same_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <span>
#include <string>

#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "worker/train/gradient_buckets.h"

namespace ltml::train {
namespace {

constexpr std::ptrdiff_t kDigestWords = 4;
using DigestWords = std::array<int64_t, kDigestWords>;

DigestWords DigestOf(const std::vector<at::Tensor>& flat) {
  base::Sha256 sha;
  for (const at::Tensor& anywhere : flat) {
    const at::Tensor tensor = anywhere.cpu();
    sha.Update(std::as_bytes(
        std::span(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes())));
  }
  const std::string hex = sha.HexDigest();
  DigestWords words{};
  for (std::ptrdiff_t i = 0; i < kDigestWords; ++i) {
    uint64_t word = 0;
    std::from_chars(hex.data() + 16 * i, hex.data() + 16 * (i + 1), word, 16);
    words[i] = std::bit_cast<int64_t>(word);
  }
  return words;
}

}  // namespace

absl::Status BroadcastFlat(const std::vector<at::Tensor>& flat, Collective& collective,
                           std::chrono::nanoseconds timeout) {
  Collective::Ticket last = 0;
  for (const at::Tensor& tensor : flat) last = collective.StartBroadcast(BufferOf(tensor), 0);
  return flat.empty() ? absl::OkStatus() : collective.Wait(last, timeout);
}

absl::Status CheckSame(const std::vector<at::Tensor>& flat, Collective& collective,
                       std::chrono::nanoseconds timeout) {
  std::vector<int64_t> table(static_cast<size_t>(collective.world_size()) * kDigestWords);
  std::ranges::copy(DigestOf(flat), table.begin() + collective.rank() * kDigestWords);
  LTML_RETURN_IF_ERROR(collective.AllReduceSum(BufferOf(std::span<int64_t>(table)), timeout));
  for (int rank = 1; rank < collective.world_size(); ++rank) {
    if (!std::equal(table.begin(), table.begin() + kDigestWords,
                    table.begin() + rank * kDigestWords)) {
      return absl::InternalError(fmt::format(
          "the weights of rank {} differ from those of rank 0 after the broadcast: check "
          "the network and memory of its host",
          rank));
    }
  }
  return absl::OkStatus();
}

}  // namespace ltml::train
