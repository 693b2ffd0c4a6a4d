#include <gtest/gtest.h>
#include <hepar/core/json.h>
#include <hepar/pipeline/statistics.h>

#include <cmath>

namespace hepar {
namespace {

using Values = std::vector<double>;

const Json& vectors() {
  static const Json kVectors = read_json(HEPAR_TEST_VECTORS "/statistics.json");
  return kVectors;
}

TEST(Statistics, QuantilesMeanAndDeviationAreNumpys) {
  for (const Json& entry : vectors()["quantile"]) {
    EXPECT_NEAR(quantile(entry["values"].get<Values>(), entry["p"]), entry["value"].get<double>(),
                1e-12);
  }
  const Values sample = vectors()["quantile"][0]["values"];
  EXPECT_NEAR(mean(sample), vectors()["mean"].get<double>(), 1e-12);
  EXPECT_NEAR(standard_deviation(sample), vectors()["sd"].get<double>(), 1e-12);
}

TEST(Statistics, WilcoxonIsScipys) {
  for (const Json& entry : vectors()["wilcoxon"]) {
    SCOPED_TRACE(entry["name"]);
    const WilcoxonResult result = wilcoxon_signed_rank(entry["differences"].get<Values>());

    EXPECT_EQ(result.exact, entry["exact"].get<bool>());
    EXPECT_NEAR(result.statistic, entry["statistic"].get<double>(), 1e-9);
    EXPECT_NEAR(result.p, entry["p"].get<double>(), 1e-10);
  }
}

TEST(Statistics, WilcoxonOfNoDifferenceSaysNothing) {
  EXPECT_EQ(wilcoxon_signed_rank({0, 0, 0}).p, 1);
  EXPECT_EQ(wilcoxon_signed_rank({}).n, 0U);
  EXPECT_DOUBLE_EQ(wilcoxon_signed_rank({1, 2, 3}).p, 0.25);  // 2 of 8 sign patterns
}

TEST(Statistics, HolmStepsDown) {
  const Values adjusted = holm(vectors()["holm"]["p"].get<Values>());

  for (std::size_t i = 0; i < adjusted.size(); ++i) {
    EXPECT_NEAR(adjusted[i], vectors()["holm"]["adjusted"][i].get<double>(), 1e-15);
  }
  EXPECT_TRUE(holm({}).empty());
}

TEST(Statistics, BootstrapIntervalsAreScipysToWithinTheDraws) {
  for (const Json& entry : vectors()["bootstrap"]) {
    const Values values = entry["values"];
    const Interval interval = bootstrap_mean(values);

    // A 2.5 % quantile of 10,000 draws has a standard error of about 2.7 % of the mean's own.
    const double error =
        4 * 0.027 * standard_deviation(values) / std::sqrt(static_cast<double>(values.size()));
    EXPECT_NEAR(interval.low, entry["low"].get<double>(), error);
    EXPECT_NEAR(interval.high, entry["high"].get<double>(), error);
  }
}

TEST(Statistics, BootstrapDependsOnValuesAndSeedOnly) {
  const Values values = vectors()["bootstrap"][0]["values"];

  EXPECT_EQ(bootstrap_mean(values).low, bootstrap_mean(values).low);
  EXPECT_NE(bootstrap_mean(values).low, bootstrap_mean(values, {.seed = 1}).low);
  EXPECT_EQ(bootstrap_mean({0.3}).low, 0.3);
}

}  // namespace
}  // namespace hepar
