#include "common/statistics/convert.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/status_macros.h"

namespace ltml::statistics {
namespace {

template <typename Repeated, typename Number>
void Copy(const std::vector<Number>& from, Repeated* to) {
  to->Assign(from.begin(), from.end());
}

void Write(const IntegerMoments& from, v1::IntegerMoments* to) {
  Copy(from.n, to->mutable_n());
  Copy(from.sum_q, to->mutable_sum_q());
  Copy(from.sum_q2, to->mutable_sum_q2());
}

void Write(const Totals& from, v1::Totals* to) {
  Copy(from.count, to->mutable_count());
  Copy(from.mean, to->mutable_mean());
  Copy(from.m2, to->mutable_m2());
  Copy(from.delivered, to->mutable_delivered());
}

void Write(const ScaleShift& from, v1::ScaleShift* to) {
  Copy(from.sigma, to->mutable_sigma());
  Copy(from.mu, to->mutable_mu());
}

// The three messages name their four parts alike.
template <typename Message, typename Values>
Message Written(const Values& values) {
  Message message;
  Write(values.at(kUniform, kPositive), message.mutable_uniform_positive());
  Write(values.at(kUniform, kNegative), message.mutable_uniform_negative());
  Write(values.at(kRebalanced, kPositive), message.mutable_rebalanced_positive());
  Write(values.at(kRebalanced, kNegative), message.mutable_rebalanced_negative());
  return message;
}

template <typename Repeated, typename Number>
absl::Status Read(const Repeated& from, std::string_view name, std::vector<Number>& to) {
  if (static_cast<size_t>(from.size()) != to.size()) {
    return absl::InvalidArgumentError(fmt::format(
        "{} has {} entries, expected one for each of {} classes", name, from.size(), to.size()));
  }
  to.assign(from.begin(), from.end());
  return absl::OkStatus();
}

template <typename Number>
absl::Status Refuse(std::string_view name, size_t class_index, Number value,
                    std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{} of class {} is {}, expected {}", name, class_index, value, expected));
}

absl::Status Check(const IntegerMoments& moments) {
  for (size_t k = 0; k < moments.n.size(); ++k) {
    const int64_t n = moments.n[k], sum_q = moments.sum_q[k], sum_q2 = moments.sum_q2[k];
    if (n < 0 || n >= kWindowImages) return Refuse("n", k, n, "a count below 2^21");
    if (sum_q2 < 0 || sum_q2 > n * (int64_t{1} << 42)) {
      return Refuse("sum_q2", k, sum_q2, fmt::format("0 to n * 2^42 with n = {}", n));
    }
    if (static_cast<__int128>(sum_q) * sum_q > static_cast<__int128>(n) * sum_q2) {
      return Refuse("sum_q", k, sum_q,
                    fmt::format("sum_q^2 <= n sum_q2 with n = {}, sum_q2 = {}", n, sum_q2));
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const Totals& totals) {
  for (size_t k = 0; k < totals.count.size(); ++k) {
    if (!(totals.count[k] >= 0) || std::isinf(totals.count[k])) {
      return Refuse("count", k, totals.count[k], "a finite number that is not negative");
    }
    if (!std::isfinite(totals.mean[k])) return Refuse("mean", k, totals.mean[k], "a finite number");
    if (!(totals.m2[k] >= 0) || std::isinf(totals.m2[k])) {
      return Refuse("m2", k, totals.m2[k], "a finite number that is not negative");
    }
    if (totals.delivered[k] < 0) {
      return Refuse("delivered", k, totals.delivered[k], "a count that is not negative");
    }
  }
  return absl::OkStatus();
}

absl::Status Check(const ScaleShift& values) {
  for (size_t k = 0; k < values.sigma.size(); ++k) {
    if (!(values.sigma[k] > 0) || std::isinf(values.sigma[k])) {
      return Refuse("sigma", k, values.sigma[k], "a finite number above 0");
    }
    if (!std::isfinite(values.mu[k])) return Refuse("mu", k, values.mu[k], "a finite number");
  }
  return absl::OkStatus();
}

absl::Status ReadPart(const v1::IntegerMoments& from, IntegerMoments& to) {
  if (from.n().empty() && from.sum_q().empty() && from.sum_q2().empty()) return absl::OkStatus();
  LTML_RETURN_IF_ERROR(Read(from.n(), "n", to.n));
  LTML_RETURN_IF_ERROR(Read(from.sum_q(), "sum_q", to.sum_q));
  LTML_RETURN_IF_ERROR(Read(from.sum_q2(), "sum_q2", to.sum_q2));
  return Check(to);
}

absl::Status ReadPart(const v1::Totals& from, Totals& to) {
  if (from.count().empty() && from.mean().empty() && from.m2().empty() &&
      from.delivered().empty()) {
    return absl::OkStatus();
  }
  LTML_RETURN_IF_ERROR(Read(from.count(), "count", to.count));
  LTML_RETURN_IF_ERROR(Read(from.mean(), "mean", to.mean));
  LTML_RETURN_IF_ERROR(Read(from.m2(), "m2", to.m2));
  LTML_RETURN_IF_ERROR(Read(from.delivered(), "delivered", to.delivered));
  return Check(to);
}

absl::Status ReadPart(const v1::ScaleShift& from, ScaleShift& to) {
  if (from.sigma().empty() && from.mu().empty()) return absl::OkStatus();
  LTML_RETURN_IF_ERROR(Read(from.sigma(), "sigma", to.sigma));
  LTML_RETURN_IF_ERROR(Read(from.mu(), "mu", to.mu));
  return Check(to);
}

absl::Status Within(std::string_view message, std::string_view part, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::InvalidArgumentError(
      fmt::format("{}.{}: {}", message, part, std::string(status.message())));
}

template <typename Message, typename Values>
absl::StatusOr<Values> Filled(const Message& message, std::string_view name, Values values) {
  LTML_RETURN_IF_ERROR(
      Within(name, "uniform_positive",
             ReadPart(message.uniform_positive(), values.at(kUniform, kPositive))));
  LTML_RETURN_IF_ERROR(
      Within(name, "uniform_negative",
             ReadPart(message.uniform_negative(), values.at(kUniform, kNegative))));
  LTML_RETURN_IF_ERROR(
      Within(name, "rebalanced_positive",
             ReadPart(message.rebalanced_positive(), values.at(kRebalanced, kPositive))));
  LTML_RETURN_IF_ERROR(
      Within(name, "rebalanced_negative",
             ReadPart(message.rebalanced_negative(), values.at(kRebalanced, kNegative))));
  return values;
}

}  // namespace

v1::WindowSums ToProto(const WindowSums& sums) { return Written<v1::WindowSums>(sums); }

v1::DecayedTotals ToProto(const DecayedTotals& totals) {
  return Written<v1::DecayedTotals>(totals);
}

v1::Compensation ToProto(const Compensation& compensation) {
  return Written<v1::Compensation>(compensation);
}

void FillPositives(const DecayedTotals& totals, v1::ClassStatistics& statistics) {
  for (const auto& [branch, positives] :
       {std::pair(kUniform, statistics.mutable_uniform_positives()),
        std::pair(kRebalanced, statistics.mutable_rebalanced_positives())}) {
    const std::vector<int64_t>& seen = totals.at(branch, kPositive).delivered;
    const std::vector<int64_t>& others = totals.at(branch, kNegative).delivered;
    // Every image counts once for each class, as a positive or as a negative.
    if (seen.empty() || seen[0] + others[0] == 0) continue;
    positives->Assign(seen.begin(), seen.end());
  }
}

absl::StatusOr<WindowSums> FromProto(const v1::WindowSums& proto, int classes) {
  return Filled(proto, "WindowSums", WindowSums(classes));
}

absl::StatusOr<DecayedTotals> FromProto(const v1::DecayedTotals& proto, int classes) {
  return Filled(proto, "DecayedTotals", DecayedTotals(classes));
}

absl::StatusOr<Compensation> FromProto(const v1::Compensation& proto, int classes) {
  return Filled(proto, "Compensation", Compensation::Neutral(classes));
}

}  // namespace ltml::statistics
