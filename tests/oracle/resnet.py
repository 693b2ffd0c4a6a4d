"""Expected feature maps of the residual networks. Usage: resnet.py > vectors/resnet.json

Needs torch and monai (PyPI). Weights are formulas of their running number i over the parameters in order, then the
buffers: convolutions 1.2 / sqrt(fan in) * sin(0.7 i + 0.3), norm scales 1 + 0.2 sin(…), norm biases and running means
0.2 sin(…), running variances 1 + 0.5 sin(…). MONAI's own network gives the r34_strided cases.
"""
import json
import sys

import torch

from residual_networks import Residual, image_of, load_into_monai, monai_features, monai_network

CASES = [
    dict(name="imr_r34gn", channels=2, norm="group", shortcut="b", training=False),
    dict(name="imr_r34gn", channels=1, norm="batch", shortcut="a", training=True),
    dict(name="r34", channels=1, norm="batch", shortcut="a", training=False),
    dict(name="r34", channels=2, norm="batch", shortcut="b", training=True),
    dict(name="r34", channels=2, norm="group", shortcut="a", training=False),
    dict(name="r34_strided", channels=1, norm="batch", shortcut="b", training=False),
    dict(name="r34_strided", channels=2, norm="batch", shortcut="a", training=False),
]


def formula(name, value, first):
    wave = torch.sin(0.7 * torch.arange(first, first + value.numel(), dtype=torch.float64) + 0.3).view(value.shape)
    if value.dim() == 5:
        return wave * 1.2 / (value.numel() / value.shape[0]) ** 0.5
    if name.endswith("running_var"):
        return 1 + 0.5 * wave
    return 0.2 * wave + (1 if name.endswith("weight") else 0)


def fill(network):
    i = 0
    buffers = [(n, b) for n, b in network.named_buffers() if "num_batches" not in n]
    for name, value in list(network.named_parameters()) + buffers:
        value.data.copy_(formula(name, value, i).float())
        i += value.numel()


def main():
    torch.set_num_threads(1)
    out = []
    for case in CASES:
        network = Residual(case["name"], case["channels"], 4, case["norm"], case["shortcut"])
        network.train(case["training"])
        fill(network)
        shape = [2, case["channels"], 17, 20, 15]
        with torch.no_grad():
            features = network(image_of(shape))
        if case["name"] == "r34_strided":
            peer = monai_network(case["channels"], 4, case["shortcut"]).eval()
            load_into_monai(peer, {n: v for n, v in network.state_dict().items() if "num_batches" not in n})
            theirs = monai_features(peer, image_of(shape))
            assert torch.allclose(theirs, features, rtol=1e-4, atol=1e-5)
            features = theirs
        every = max(1, features.numel() // 120 // 2 * 2 + 1)
        out.append(dict(case, width=4, image_shape=shape, shape=list(features.shape), every=every,
                        names=[n for n, _ in network.named_parameters()],
                        values=[float(f"{float(v):.7g}") for v in features.flatten()[::every]]))
    json.dump(out, sys.stdout)


main()
