#include "worker/train/update_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/train/golden.h"

namespace ltml::train {
namespace {

void ExpectNear(const std::vector<double>& got, const std::vector<double>& expected,
                const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 1e-12 * std::max(1.0, std::abs(expected[i]))) << what << i;
  }
}

TEST(SgdUpdate, EqualsGoldenValues) {
  int cases = 0;
  for (const Golden& item : Golden::Read("sgd.json")["cases"].items()) {
    const Golden options = item["options"];
    std::vector<double> p = item["start"].numbers(), m(p.size());
    for (const Golden& step : item["steps"].items()) {
      const std::vector<double> g = step["gradient"].numbers();
      const SgdRates rates{.learning_rate = step["lr"].number(),
                           .momentum = options.NumberOr("momentum", 0),
                           .weight_decay = options.NumberOr("weight_decay", 0),
                           .nesterov = options.Has("nesterov") && options["nesterov"].boolean()};
      SgdUpdate<double>(rates, std::ssize(p), g.data(), p.data(), m.data());
      ExpectNear(p, step["parameter"].numbers(), item["name"].text() + " parameter ");
      if (!step["momentum_buffer"].is_null()) {
        ExpectNear(m, step["momentum_buffer"].numbers(), item["name"].text() + " momentum ");
      }
    }
    ++cases;
  }
  EXPECT_EQ(cases, 5);
}

// lr 0.1, weight decay 0.01, gradients 0.5 and -0.25 on a parameter that starts at 1.
TEST(AdamUpdate, EqualsHandComputedSteps) {
  double p = 1, m = 0, v = 0, g = 0.5;
  AdamRates rates{.learning_rate = 0.1, .weight_decay = 0.01, .t = 1};
  AdamUpdate<double>(rates, 1, &g, &p, &m, &v);
  // m = 0.05, v = 0.00025; the corrected moments are g and g^2.
  EXPECT_NEAR(m, 0.05, 1e-15);
  EXPECT_NEAR(v, 0.00025, 1e-17);
  const double first = 0.999 - 0.1 * 0.5 / (0.5 + 1e-8);
  EXPECT_NEAR(p, first, 1e-14);

  g = -0.25;
  rates.t = 2;
  AdamUpdate<double>(rates, 1, &g, &p, &m, &v);
  // m = 0.9 * 0.05 - 0.1 * 0.25 = 0.02; v = 0.999 * 0.00025 + 0.001 * 0.0625 = 0.00031225.
  EXPECT_NEAR(m, 0.02, 1e-15);
  EXPECT_NEAR(v, 0.00031225, 1e-17);
  const double m_hat = 0.02 / 0.19, v_hat = 0.00031225 / 0.001999;
  EXPECT_NEAR(p, first * 0.999 - 0.1 * m_hat / (std::sqrt(v_hat) + 1e-8), 1e-13);
}

TEST(AdamUpdate, FloatFollowsDouble) {
  std::vector<double> p(37, 1), m(37), v(37), g = Unit("g", 37);
  std::vector<float> pf(37, 1), mf(37), vf(37), gf(g.begin(), g.end());
  for (int t = 1; t <= 3; ++t) {
    const AdamRates rates{.learning_rate = 0.01, .weight_decay = 0.1, .t = t};
    AdamUpdate<double>(rates, 37, g.data(), p.data(), m.data(), v.data());
    AdamUpdate<float>(rates, 37, gf.data(), pf.data(), mf.data(), vf.data());
  }
  for (int i = 0; i < 37; ++i) EXPECT_NEAR(pf[i], p[i], 1e-5) << i;
}

template <typename T>
void ExpectFindsEveryPlace() {
  constexpr T most = std::numeric_limits<T>::max() / 3;
  for (const T bad : {std::numeric_limits<T>::quiet_NaN(), -std::numeric_limits<T>::quiet_NaN(),
                      std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                      std::nextafter(most, std::numeric_limits<T>::infinity())}) {
    for (int place = 0; place < 19; ++place) {
      std::vector<T> values(19, most);
      values[3] = -values[3];
      values[4] = std::numeric_limits<T>::denorm_min();
      EXPECT_TRUE(AllWithin<T>(19, values.data(), most));
      values[place] = bad;
      EXPECT_FALSE(AllWithin<T>(19, values.data(), most)) << bad << " at " << place;
    }
  }
  EXPECT_TRUE(AllWithin<T>(0, nullptr, most));
}

TEST(AllWithin, FindsInfinityNanAndTheTooLargeAnywhere) {
  ExpectFindsEveryPlace<float>();
  ExpectFindsEveryPlace<double>();
}

}  // namespace
}  // namespace ltml::train
