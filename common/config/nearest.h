#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ltml::config {

// Edit distance of insertions, deletions, substitutions and swaps of neighbours.  O(|a| |b|).
int EditDistance(std::string_view a, std::string_view b);

// The candidate nearest to `word`, the first one on ties; empty when none is near enough to be what
// was meant (at most a third of the letters, at least 2, differ).
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// "; did you mean 'candidate'?", or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace ltml::config
