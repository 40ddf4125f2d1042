#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ltml::launch {

// The rank that mpirun names as the first one that ended badly.
struct RankExit {
  int rank = -1;
  int signal = 0;       // 0: it returned
  int exit_status = 0;  // of a rank that returned
};

// Finds it in mpirun.log; nullopt when mpirun did not name any.
std::optional<RankExit> FindRankExit(std::string_view mpirun_log);

// The last `bytes` of a log, from the start of a line; empty when there is none.
std::string LogTail(const std::filesystem::path& file, size_t bytes);

}  // namespace ltml::launch
