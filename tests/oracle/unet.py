"""Expected values of the U-Nets from nnU-Net's own network code.

Needs torch and dynamic_network_architectures (PyPI). Usage: unet.py > vectors/unet.json

Every weight is set by a formula of its running number, so that only samples of the logits need to be kept:
element i (over all parameters, in order) is SCALE * sin(0.7 * i + 0.3), norm scales get 1 added.
"""
import json
import math
import sys

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from dynamic_network_architectures.building_blocks.residual import BasicBlockD
from torch import nn

COMMON = dict(conv_op=nn.Conv3d, conv_bias=True, norm_op=nn.InstanceNorm3d,
              norm_op_kwargs={"eps": 1e-5, "affine": True}, nonlin=nn.LeakyReLU,
              nonlin_kwargs={"inplace": False}, deep_supervision=True)
ISO3 = [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
SIX = [[1, 1, 1]] + [[2, 2, 2]] * 5
FLAT = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]


def cubes(n):
    return [[3, 3, 3]] * n


PLANS = [
    dict(name="hippocampus", architecture="plain", in_channels=1, classes=3, features=[32, 64, 128, 256],
         strides=ISO3, kernels=cubes(4), blocks_per_stage=[2] * 4, convs_per_decoder_level=[2] * 3),
    dict(name="isotropic six stages", architecture="plain", in_channels=1, classes=2,
         features=[32, 64, 128, 256, 320, 320], strides=SIX, kernels=cubes(6), blocks_per_stage=[2] * 6,
         convs_per_decoder_level=[2] * 5),
    dict(name="abdominal, anisotropic", architecture="plain", in_channels=2, classes=5,
         features=[32, 64, 128, 256, 320, 320], strides=[[1, 1, 1], [1, 2, 2]] + [[2, 2, 2]] * 3 + [[1, 2, 2]],
         kernels=[[1, 3, 3]] + cubes(5), blocks_per_stage=[2] * 6, convs_per_decoder_level=[2] * 5),
    dict(name="residual M", architecture="resenc", in_channels=1, classes=3,
         features=[32, 64, 128, 256, 320, 320], strides=SIX, kernels=cubes(6),
         blocks_per_stage=[1, 3, 4, 6, 6, 6], convs_per_decoder_level=[1] * 5),
]
TINY = [
    dict(name="tiny plain", architecture="plain", in_channels=2, classes=3, features=[4, 6, 8], strides=FLAT,
         kernels=[[1, 3, 3], [3, 3, 3], [3, 3, 3]], blocks_per_stage=[2, 2, 2], convs_per_decoder_level=[2, 2]),
    dict(name="tiny residual", architecture="resenc", in_channels=2, classes=3, features=[4, 6, 6], strides=FLAT,
         kernels=[[1, 3, 3], [3, 3, 3], [3, 3, 3]], blocks_per_stage=[1, 2, 2], convs_per_decoder_level=[1, 1]),
]


def build(p):
    shared = dict(input_channels=p["in_channels"], n_stages=len(p["features"]), features_per_stage=p["features"],
                  kernel_sizes=p["kernels"], strides=p["strides"], num_classes=p["classes"],
                  n_conv_per_stage_decoder=p["convs_per_decoder_level"], **COMMON)
    if p["architecture"] == "plain":
        return PlainConvUNet(n_conv_per_stage=p["blocks_per_stage"], **shared)
    return ResidualEncoderUNet(n_blocks_per_stage=p["blocks_per_stage"], block=BasicBlockD, **shared)


def own_names(network):
    return [(n, q) for n, q in network.named_parameters() if "all_modules" not in n and "decoder.encoder" not in n]


def fill(network):
    i = 0
    for name, parameter in own_names(network):
        n = parameter.numel()
        values = 0.2 * torch.sin(0.7 * torch.arange(i, i + n, dtype=torch.float64) + 0.3)
        if name.endswith("norm.weight"):
            values = values + 1
        parameter.data.copy_(values.to(torch.float32).view_as(parameter))
        i += n


def main():
    torch.set_num_threads(1)
    out = {"parameter_counts": [], "logits": []}
    for p in PLANS:
        count = sum(q.numel() for _, q in own_names(build(p)))
        out["parameter_counts"].append(dict(p, parameters=count))
    for p in TINY:
        network = build(p).eval()
        fill(network)
        shape = [2, p["in_channels"], 4, 8, 12]
        image = torch.cos(0.37 * torch.arange(math.prod(shape), dtype=torch.float64)).float().view(shape)
        with torch.no_grad():
            levels = network(image)
        out["logits"].append(dict(
            p, image_shape=shape, names=[n for n, _ in own_names(network)],
            levels=[dict(shape=list(l.shape), every=17, values=[round(float(v), 6) for v in l.flatten()[::17]])
                    for l in levels]))
    json.dump(out, sys.stdout)


main()
