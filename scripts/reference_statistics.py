#!/usr/bin/env python3
"""Writes tests/data/statistics_reference.json: values of an independent implementation.

Needs numpy, scipy and statsmodels; run again only when a formula is added. What scipy and
statsmodels do not have (Tango's interval, spending bounds) is computed here a second, slow way.
"""
import json
import math
import sys

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint


def tango(b, c, n, level):
    """Score interval by a search over the whole constrained likelihood, not by its closed root."""
    z = stats.norm.ppf(0.5 + level / 2)

    def restricted(delta):
        # Shares of the cells (b: q + delta, c: q, equal: the rest) at the maximum for this delta.
        def minus_log(q):
            rest = 1 - 2 * q - delta
            value = 0.0
            for count, share in ((b, q + delta), (c, q), (n - b - c, rest)):
                if count > 0:
                    if share <= 0:
                        return 1e300
                    value -= count * math.log(share)
            return value

        low, high = max(0.0, -delta), (1 - delta) / 2
        best = optimize.minimize_scalar(minus_log, bounds=(low, high), method="bounded",
                                        options={"xatol": 1e-15})
        # The likelihood is flat at its top: finish with the root of its derivative where there is one.
        def slope(q):
            value = 0.0
            if b > 0:
                value += b / (q + delta)
            if c > 0:
                value += c / q
            if n - b - c > 0:
                value -= 2 * (n - b - c) / (1 - 2 * q - delta)
            return value

        eps = 1e-14
        left, right = low + eps, high - eps
        if left < right and slope(left) > 0 > slope(right):
            return optimize.brentq(slope, left, right, xtol=1e-16)
        return low if slope(left) <= 0 else (high if n == b + c else best.x)

    def score(delta):
        q = restricted(delta)
        variance = n * (2 * q + delta * (1 - delta))
        return (b - c - n * delta) / math.sqrt(variance)

    estimate = (b - c) / n
    lower = -1.0 if c == n else optimize.brentq(lambda d: score(d) - z, -1 + 1e-12,
                                                 estimate - 1e-12, xtol=1e-15)
    upper = 1.0 if b == n else optimize.brentq(lambda d: score(d) + z, estimate + 1e-12,
                                                1 - 1e-12, xtol=1e-15)
    return [lower, upper]


def spending_bounds(looks, alpha):
    """O'Brien-Fleming-type spending by quadrature on a Gauss-Legendre grid."""
    z = stats.norm.ppf(1 - alpha / 4)  # alpha / 2 is spent on each side
    spent = [4 * stats.norm.sf(z / math.sqrt((i + 1) / looks)) for i in range(looks)]
    nodes, weights = np.polynomial.legendre.leggauss(400)
    step = math.sqrt(1 / looks)
    bounds, points, density, mass = [], None, None, None
    for i in range(looks):
        time = (i + 1) / looks
        spend = spent[i] - (spent[i - 1] if i else 0)
        if i == 0:
            bound = stats.norm.isf(spend / 2)
        else:
            def crossing(x):
                edge = x * math.sqrt(time)
                return float(np.sum(mass * (stats.norm.sf((edge - points) / step)
                                            + stats.norm.cdf((-edge - points) / step)))) - spend
            bound = optimize.brentq(crossing, 0, 15, xtol=1e-13)
        bounds.append(bound)
        edge = min(bound, 9) * math.sqrt(time)
        new_points, new_weights = nodes * edge, weights * edge
        if i == 0:
            density = stats.norm.pdf(new_points / step) / step
        else:
            density = np.array([np.sum(mass * stats.norm.pdf((x - points) / step) / step)
                                for x in new_points])
        points, mass = new_points, new_weights * density
    return bounds


def main(path):
    out = {}
    out["wilson"] = [[x, n, level, *map(float, proportion_confint(x, n, 1 - level, "wilson"))]
                     for x, n, level in ((9, 30, .95), (1, 198, .95), (250, 500, .99), (29, 30, .9))]
    out["clopper_pearson"] = [
        [x, n, level, *map(float, stats.binomtest(x, n).proportion_ci(level, "exact"))]
        for x, n, level in ((0, 30, .95), (30, 30, .95), (9, 30, .95), (3, 14042, .99))]
    out["mcnemar_exact"] = [[b, c, float(stats.binomtest(min(b, c), b + c, 0.5).pvalue)]
                            for b, c in ((1, 8), (10, 12), (0, 5), (40, 71), (7, 7))]
    out["mcnemar_mid"] = []
    for b, c in ((1, 8), (10, 12), (0, 5), (40, 71), (7, 7)):
        half = stats.binom(b + c, 0.5)
        p = 2 * half.cdf(min(b, c)) - half.pmf(min(b, c)) if b != c else 1 - half.pmf(b) / 2
        out["mcnemar_mid"].append([b, c, float(p)])
    out["tango"] = [[b, c, n, level, *tango(b, c, n, level)]
                    for b, c, n, level in ((3, 9, 50, .95), (0, 1, 50, .95), (16, 0, 164, .95),
                                           (5, 5, 30, .9), (1, 12, 44, .95), (0, 0, 30, .95))]
    ps = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.041]
    out["p_values"] = ps
    out["holm"] = list(map(float, multipletests(ps, method="holm")[1]))
    out["benjamini_hochberg"] = list(map(float, multipletests(ps, method="fdr_bh")[1]))
    power = TTestPower()
    out["power"] = [[d, sd, n, alpha, float(power.power(d / sd, n, alpha))]
                    for d, sd, n, alpha in ((.1, .4, 30, .05), (.03, .3, 198, .05),
                                            (.02, .2, 500, .1), (.5, .3, 5, .05))]
    def effect(n):
        return optimize.brentq(lambda d: power.power(d, n, .05) - .8, 1.0 / n, 8 / math.sqrt(n), xtol=1e-15)
    out["mde"] = [[sd, n, float(effect(n)) * sd]
                  for sd, n in ((.4, 30), (.3, 198), (.2, 500), (.6, 14042))]
    out["obrien_fleming"] = [[looks, alpha, spending_bounds(looks, alpha)]
                             for looks, alpha in ((1, .05), (2, .05), (4, .05), (5, .1))]
    # BCa against scipy, both with draws of their own: agreement is to the Monte Carlo error.
    rng = np.random.default_rng(1)
    numerator = np.round(rng.gamma(2, 500, 40), 3)
    denominator = np.round(rng.uniform(0.05, 1, 40), 3)
    def ratio(a, b, axis=-1):
        return np.sum(a, axis=axis) / np.sum(b, axis=axis)
    ci = stats.bootstrap((numerator, denominator), ratio, paired=True, vectorized=True,
                         n_resamples=100000, method="BCa", random_state=np.random.default_rng(2),
                         batch=1000).confidence_interval
    out["bca_ratio"] = {"numerator": numerator.tolist(), "denominator": denominator.tolist(),
                        "ci": [float(ci.low), float(ci.high)]}
    d = np.array([.25, -.5, .75, 0, -.25, .5, .5, -1, .25, .75, 0, .125])
    nonzero = d[d != 0]
    res = stats.permutation_test((nonzero,), np.sum, permutation_type="samples",
                                 n_resamples=np.inf, alternative="two-sided")
    out["sign_flip"] = {"differences": d.tolist(), "p": float(res.pvalue)}
    # Standard errors by their definitions, in another order of arithmetic.
    means = np.round(rng.beta(.7, .4, 24), 6)
    cluster = [i // 4 for i in range(24)]
    stratum = [i % 3 for i in range(24)]
    out["errors"] = {
        "means": means.tolist(), "cluster": cluster, "stratum": stratum,
        "population": float(stats.sem(means)),
        "clustered": float(math.sqrt(6 / 5 * sum(
            sum(means[i] - means.mean() for i in range(24) if cluster[i] == c) ** 2
            for c in range(6))) / 24),
        "stratified": float(math.sqrt(sum((8 / 24) ** 2 * np.var(
            [means[i] for i in range(24) if stratum[i] == s], ddof=1) / 8 for s in range(3)))),
    }
    out["t_interval"] = [[m, se, df, *map(float, stats.t.interval(.95, df, m, se))]
                         for m, se, df in ((.5, .03, 29), (.7, .02, 197))]
    with open(path, "w", encoding="utf-8") as f:
        json.dump(out, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "tests/data/statistics_reference.json")
