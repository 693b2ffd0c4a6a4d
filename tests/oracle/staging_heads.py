"""Expected losses and scores of the staging heads from torch and coral-pytorch (PyPI).

Usage: staging_heads.py > vectors/staging_heads.json

Logits are 3 * sin(0.9 * i + phase) over the running index, stages i mod 4, in double.
"""
import json
import math
import sys

import torch
import torch.nn.functional as F
from coral_pytorch.dataset import corn_label_from_logits, levels_from_labelbatch, proba_to_label
from coral_pytorch.layers import CoralLayer
from coral_pytorch.losses import coral_loss, corn_loss

N = 9


def logits_of(width, phase):
    return (3 * torch.sin(0.9 * torch.arange(N * width, dtype=torch.float64) + phase)).view(N, width)


def numbers(tensor):
    return [round(float(v), 12) for v in tensor.detach().flatten()]


def soft_labels(stage, distance, scale):
    """One row of SORD targets, written out without a softmax."""
    def phi(i):
        if distance == "abs":
            return abs(stage - i)
        if distance == "squared":
            return (stage - i) ** 2
        return (math.log(stage + 1) - math.log(i + 1)) ** 2

    weights = [math.exp(-scale * phi(i)) for i in range(4)]
    return [w / sum(weights) for w in weights]


def ord_case(stage, distance, scale):
    logits = logits_of(4, 0.4)
    targets = torch.tensor([soft_labels(int(s), distance, scale) for s in stage], dtype=torch.float64)
    losses = -(targets * F.log_softmax(logits, dim=1)).sum(1)
    return {"distance": distance, "scale": scale, "losses": numbers(losses),
            "targets": [[round(v, 6) for v in soft_labels(s, distance, scale)] for s in range(4)]}


def coral_case(stage):
    logits = logits_of(3, 0.2)
    levels = levels_from_labelbatch(stage, num_classes=4).to(torch.float64)
    at_least = torch.sigmoid(logits)
    return {"losses": numbers(coral_loss(logits, levels, reduction=None)),
            "loss": float(coral_loss(logits, levels)), "at_least": numbers(at_least),
            "labels": [int(v) for v in proba_to_label(at_least)],
            "bias": numbers(CoralLayer(size_in=2, num_classes=4).coral_bias)}


def corn_case(stage):
    logits = logits_of(3, 0.7)
    weighted = torch.cat([logits, logits[:4]]), torch.cat([stage, stage[:4]])
    return {"loss": float(corn_loss(logits, stage, 4)),
            "loss_first_four_twice": float(corn_loss(weighted[0], weighted[1], 4)),
            "at_least": numbers(torch.cumprod(torch.sigmoid(logits), dim=1)),
            "labels": [int(v) for v in corn_label_from_logits(logits)]}


def main():
    stage = torch.arange(N) % 4
    bce = logits_of(2, 0.1)
    tasks = torch.stack([stage == 3, stage == 0], 1).to(torch.float64)
    reg = logits_of(1, 0.5)[:, 0]
    json.dump({
        "samples": N,
        "ce": numbers(F.cross_entropy(logits_of(4, 0.4), stage, reduction="none")),
        "bce": numbers(F.binary_cross_entropy_with_logits(bce, tasks, reduction="none").mean(1)),
        "reg": {"squared": numbers((reg - stage) ** 2),
                "smooth_l1": numbers(F.smooth_l1_loss(reg, stage.to(torch.float64), reduction="none"))},
        "ord": [ord_case(stage, d, a) for d, a in [("abs", 1), ("abs", 2), ("squared", 1), ("log", 1.5)]],
        "coral": coral_case(stage),
        "corn": corn_case(stage),
    }, sys.stdout)


main()
