#!/usr/bin/env python3
"""What scikit-learn's isolation forest makes of the rows of `detect::vectors::forest`'s test: area under the ROC curve.

Prints one number for each of three shifts, which stand in that test. Needs numpy and scikit-learn.
"""
import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

MASK = (1 << 64) - 1


class Random:
    """SplitMix64, as in `random.rs`."""

    def __init__(self, seed):
        self.state = seed

    def unit(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) / (1 << 53)

    def normal(self):
        return sum(self.unit() for _ in range(12)) - 6.0


def cloud(random, rows, width):
    return np.array([[random.normal() for _ in range(width)] for _ in range(rows)], dtype=np.float32)


for shift in (2.0, 3.0, 4.0):
    random = Random(11)
    train, test = cloud(random, 512, 8), cloud(random, 600, 8)
    odd = np.arange(600) % 10 == 0
    test[odd, 2] += shift
    test[odd, 6] -= shift
    areas = [
        roc_auc_score(odd, -IsolationForest(n_estimators=50, max_samples=128, random_state=seed).fit(train).score_samples(test))
        for seed in range(40)
    ]
    print(shift, round(float(np.mean(areas)), 3), round(float(np.std(areas)), 3))
