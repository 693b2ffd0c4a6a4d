#!/usr/bin/env python3
"""Reference values for the report's statistics, from scipy and statsmodels' definition of Holm.

Writes tests/oracle/vectors/statistics.json.
"""
import json
import pathlib

import numpy as np
import scipy.stats

rng = np.random.default_rng(20)


def wilcoxon(name, differences, method):
    result = scipy.stats.wilcoxon(differences, method=method, zero_method="wilcox", correction=False)
    return {"name": name, "differences": list(map(float, differences)), "exact": method == "exact",
            "statistic": float(result.statistic), "p": float(result.pvalue)}


def holm(p):
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate((len(p) - np.arange(len(p))) * np.asarray(p)[order])
    out = np.empty(len(p))
    out[order] = np.minimum(1, scaled)
    return list(map(float, out))


def bootstrap(name, values):
    interval = scipy.stats.bootstrap((values,), np.mean, n_resamples=200000, method="percentile",
                                     batch=1000, random_state=1).confidence_interval
    return {"name": name, "values": list(map(float, values)), "low": float(interval.low),
            "high": float(interval.high)}


small = rng.normal(0.3, 1, 9).round(3)
middle = rng.normal(0.1, 1, 31).round(4)
large = rng.normal(0.05, 1, 64).round(4)
tied = rng.integers(-3, 5, 24).astype(float)  # zeros and ties
sample = rng.gamma(2.0, 3.0, 12).round(3)
p_values = [0.01, 0.04, 0.03, 0.005, 0.2, 0.04]

document = {
    "quantile": [{"values": list(map(float, sample)), "p": p, "value": float(np.quantile(sample, p))}
                 for p in (0.0, 0.025, 0.31, 0.5, 0.975, 1.0)],
    "mean": float(np.mean(sample)), "sd": float(np.std(sample, ddof=1)),
    "wilcoxon": [wilcoxon("small", small, "exact"), wilcoxon("middle", middle, "exact"),
                 wilcoxon("large", large, "approx"), wilcoxon("tied", tied, "approx")],
    "holm": {"p": p_values, "adjusted": holm(p_values)},
    "bootstrap": [bootstrap("gamma", sample), bootstrap("normal", middle)],
}
target = pathlib.Path(__file__).parent / "vectors" / "statistics.json"
target.write_text(json.dumps(document, indent=1) + "\n")
