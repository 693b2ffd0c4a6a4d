#!/usr/bin/env python3
"""Reference values for the staging statistics on 100 random tables with ties, few cases and missing classes.

AUC, F1, MCC, kappa, Brier score from scikit-learn; Wilson, McNemar, Holm and the calibration line from statsmodels;
DeLong from its definition by placement values (all pairs, no ranks); intervals by numpy's own bootstrap.
Writes tests/oracle/vectors/staging_statistics.json.
"""
import json
import pathlib
import warnings

import numpy as np
import scipy.stats
import sklearn.metrics as sk
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

warnings.filterwarnings("ignore")
rng = np.random.default_rng(5)
Z = scipy.stats.norm.ppf(0.975)


def number(x):
    return None if x is None or not np.isfinite(x) else float(f"{x:.13g}")


def kernel(scores, y):
    """psi(positive, negative) for all pairs: 1, 1/2 or 0."""
    pos, neg = scores[y][:, None], scores[~y][None, :]
    return np.where(pos > neg, 1.0, np.where(pos == neg, 0.5, 0.0))


def delong_covariance(a, b, y):
    ka, kb = kernel(a, y), kernel(b, y)
    m, n = ka.shape
    if m < 2 or n < 2:
        return None
    by_pos = np.cov(ka.mean(axis=1), kb.mean(axis=1), ddof=1)[0, 1]
    by_neg = np.cov(ka.mean(axis=0), kb.mean(axis=0), ddof=1)[0, 1]
    return by_pos / m + by_neg / n


def paired_delong(a, b, y):
    if y.all() or not y.any():
        return None, None
    difference = kernel(a, y).mean() - kernel(b, y).mean()
    if delong_covariance(a, a, y) is None:
        return difference, None
    variance = delong_covariance(a, a, y) + delong_covariance(b, b, y) - 2 * delong_covariance(a, b, y)
    if variance < 1e-15:
        return difference, 1.0 if abs(difference) < 1e-15 else None
    return difference, 2 * scipy.stats.norm.sf(abs(difference) / np.sqrt(variance))


def ece(p, y, bins):
    """Equal-mass bins; cases with equal probability share their mean truth."""
    order = np.argsort(p, kind="stable")
    p, y = p[order], y[order].astype(float)
    y = np.array([y[p == value].mean() for value in p])
    return sum(abs(np.sum(py[1]) - np.sum(py[0])) for py in
               zip(np.array_split(p, bins), np.array_split(y, bins))) / len(p)


def calibration(p, y):
    x = np.log(np.clip(p, 1e-7, 1 - 1e-7) / (1 - np.clip(p, 1e-7, 1 - 1e-7)))
    if y.all() or not y.any():
        return None, None
    if x[y].min() >= x[~y].max() or x[~y].min() >= x[y].max():  # separated, or all equal
        return None, None
    fit = sm.Logit(y.astype(float), sm.add_constant(x, has_constant="add")).fit(disp=0, method="newton", tol=1e-14,
                                                                                maxiter=300)
    return fit.params[0], fit.params[1]


def question(p, called, y):
    both = y.any() and not y.all()
    tn, fp, fn, tp = sk.confusion_matrix(y, called, labels=[False, True]).ravel()
    low, high = proportion_confint(tp + tn, len(y), method="wilson")
    area = sk.roc_auc_score(y, p) if both else None
    variance = delong_covariance(p, p, y) if both else None
    half = None if variance is None else Z * np.sqrt(max(variance, 0))
    intercept, slope = calibration(p, y)
    return {
        "auc": number(area), "var": number(variance),
        "ci": None if half is None else [number(np.clip(area - half, 0, 1)), number(np.clip(area + half, 0, 1))],
        "acc": number(sk.accuracy_score(y, called)), "wilson": [number(low), number(high)],
        "sens": number(tp / (tp + fn)) if y.any() else None, "spec": number(tn / (tn + fp)) if not y.all() else None,
        "bacc": number(sk.balanced_accuracy_score(y, called)) if both else None,
        "f1": number(sk.f1_score(y, called)) if y.any() else None,
        "mcc": number(sk.matthews_corrcoef(y, called)) if both else None,
        "brier": number(np.mean((p - y) ** 2) if not both else sk.brier_score_loss(y, p)),
        "ece": number(ece(p, y, 5)), "intercept": number(intercept), "slope": number(slope)}


def table(index):
    n = int(rng.choice([1, 2, 3, 5, 8, 12, 20, 30, 45]))
    present = rng.permutation([1, 2, 3, 4])[:rng.integers(1, 5)] if index % 3 == 0 else np.array([1, 2, 3, 4])
    stage = rng.choice(present, n)
    digits = int(rng.choice([1, 2, 3]))  # one digit: many ties
    latent = lambda noise: stage - 2.5 + rng.normal(0, noise, n)
    squash = lambda x: np.round(1 / (1 + np.exp(-x)), digits)
    q4, q1, other = squash(latent(1.5) - 1), squash(-latent(1.5) - 1), squash(latent(2.5) - 1)
    called = rng.integers(1, 5, n) if index % 2 else np.clip(stage + rng.integers(-1, 2, n), 1, 4)
    y4, y1 = stage == 4, stage == 1
    difference, p = paired_delong(q4, other, y4)
    right, right_other = (q4 >= 0.5) == y4, (other >= 0.5) == y4
    b, c = int(np.sum(right & ~right_other)), int(np.sum(~right & right_other))
    exact = mcnemar([[0, b], [c, 0]], exact=True).pvalue if b + c else 1.0
    kappa = sk.cohen_kappa_score(stage, called, labels=[1, 2, 3, 4], weights="quadratic")
    return {
        "stage": stage.tolist(), "q4": q4.tolist(), "q1": q1.tolist(), "other": other.tolist(),
        "called": called.tolist(), "cirrhosis": question(q4, q4 >= 0.5, y4),
        "official_s1": question(q1, q1 >= 0.5, y1),
        # 1 - q1 rounded to the table's digits: equal scores stay equal
        "substantial_fibrosis": question(np.round(1 - q1, 9), q1 < 0.5, ~y1),
        "delong": {"difference": number(difference), "p": number(p)},
        "mcnemar": [b, c, number(exact)],
        "kappa": number(kappa), "mae": number(np.mean(np.abs(stage - called)))}


def seeded(n, seeds):
    stage = np.concatenate([np.full(max(1, int(n * share)), s + 1) for s, share in enumerate([.3, .2, .1, .4])])
    runs = [np.round(1 / (1 + np.exp(-(stage - 3.4 + rng.normal(0, 1.6, len(stage))))), 2) for _ in range(seeds)]
    others = [np.round(1 / (1 + np.exp(-(stage - 3.4 + rng.normal(0, 2.4, len(stage))))), 2) for _ in range(seeds)]
    values, differences = [], []
    members = [np.flatnonzero(stage == s) for s in range(1, 5)]
    for _ in range(20000):
        draw = np.concatenate([rng.choice(m, len(m)) for m in members])
        y = stage[draw] == 4
        areas = [kernel(r[draw], y).mean() for r in runs]
        values.append(np.mean(areas))
        differences.append(np.mean(areas) - np.mean([kernel(r[draw], y).mean() for r in others]))
    return {"stage": stage.tolist(), "runs": [r.tolist() for r in runs], "others": [r.tolist() for r in others],
            "auc": number(np.mean([sk.roc_auc_score(stage == 4, r) for r in runs])),
            "sd": number(np.std(values)), "interval": [number(q) for q in np.quantile(values, [.025, .975])],
            "difference_sd": number(np.std(differences)),
            "difference_interval": [number(q) for q in np.quantile(differences, [.025, .975])]}


p_values = np.round(rng.uniform(0, 0.2, 8), 3).tolist()
document = {
    "tables": [table(i) for i in range(100)],
    "bootstrap": [seeded(30, 1), seeded(60, 3), seeded(100, 2)],
    "normal_quantile": [[p, number(scipy.stats.norm.ppf(p))] for p in (0.001, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9999)],
    "holm": {"p": p_values, "adjusted": [number(p) for p in multipletests(p_values, method="holm")[1]]},
}
target = pathlib.Path(__file__).parent / "vectors" / "staging_statistics.json"
rows = ",\n".join(json.dumps(t, separators=(",", ":")) for t in document.pop("tables"))
rest = json.dumps(document, separators=(",", ":"))
target.write_text('{"tables":[\n' + rows + "],\n" + rest[1:] + "\n")
