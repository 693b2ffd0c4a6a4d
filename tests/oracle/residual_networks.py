"""The 3D ResNet-34s of include/hepar/nn/resnet.h once more, in torch and under its names.

Only what the networks' descriptions say is used here, so that two readings of them are compared.
"""
import contextlib
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

# name: max-pool behind the stem, ReLU after each addition, stages (widths, blocks, stride, dilation)
NETWORKS = {
    "imr_r34gn": (False, False, [(1, 4, 2, 1), (2, 6, 1, 2), (4, 3, 1, 4)]),
    "r34": (True, True, [(1, 3, 1, 1), (2, 4, 2, 1), (4, 6, 1, 2), (8, 3, 1, 4)]),
    "r34_strided": (True, True, [(1, 3, 1, 1), (2, 4, 2, 1), (4, 6, 2, 1), (8, 3, 2, 1)]),
}


def norm_layer(channels, norm):
    return nn.BatchNorm3d(channels) if norm == "batch" else nn.GroupNorm(channels // 2, channels)


class Shortcut(nn.Module):
    def __init__(self, inside, outside, stride, norm):
        super().__init__()
        self.conv = nn.Conv3d(inside, outside, 1, stride, bias=False)
        self.norm = norm_layer(outside, norm)

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(nn.Module):
    def __init__(self, inside, outside, stride, dilation, how):
        super().__init__()
        self.conv1 = nn.Conv3d(inside, outside, 3, stride, dilation, dilation, bias=False)
        self.norm1 = norm_layer(outside, how["norm"])
        self.conv2 = nn.Conv3d(outside, outside, 3, 1, dilation, dilation, bias=False)
        self.norm2 = norm_layer(outside, how["norm"])
        self.last_relu, self.stride, self.grows = how["last_relu"], stride, outside - inside
        if (stride > 1 or self.grows) and how["shortcut"] == "b":
            self.shortcut = Shortcut(inside, outside, stride, how["norm"])

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        if hasattr(self, "shortcut"):
            x = self.shortcut(x)
        else:
            x = F.pad(F.avg_pool3d(x, 1, self.stride), [0, 0, 0, 0, 0, 0, 0, self.grows])
        return F.relu(x + y) if self.last_relu else x + y


class Residual(nn.Module):
    def __init__(self, name, channels, width, norm, shortcut):
        super().__init__()
        self.pool, self.last_relu, stages = NETWORKS[name]
        how = dict(norm=norm, shortcut=shortcut, last_relu=self.last_relu)
        self.conv1 = nn.Conv3d(channels, width, 7, 2, 3, bias=False)
        self.norm1 = norm_layer(width, norm)
        inside, self.count = width, len(stages)
        for i, (widths, blocks, stride, dilation) in enumerate(stages):
            layer = nn.Sequential()
            for b in range(blocks):
                layer.append(Block(inside, width * widths, stride if b == 0 else 1, dilation, how))
                inside = width * widths
            setattr(self, f"layer{i + 1}", layer)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = F.max_pool3d(x, 3, 2, 1) if self.pool else x
        for i in range(self.count):
            x = F.relu(getattr(self, f"layer{i + 1}")(x))
        return x


def to_torchvision(name):
    """The spelling of MedicalNet and MONAI: bn for norm, downsample for shortcut."""
    return (name.replace("shortcut.conv", "downsample.0").replace("shortcut.norm", "downsample.1")
            .replace("norm", "bn"))


def monai_network(channels, width, shortcut):
    """MONAI's ResNet-34, which strides like r34_strided; its features come from layer4."""
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it cannot import
        from monai.networks.nets.resnet import ResNet
    return ResNet("basic", [3, 4, 6, 3], [width * w for w in (1, 2, 4, 8)], n_input_channels=channels,
                  conv1_t_size=7, conv1_t_stride=2, shortcut_type=shortcut.upper(), feed_forward=False,
                  bias_downsample=False)


def monai_features(network, image):
    kept = []
    handle = network.layer4.register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.no_grad():
        network(image)
    handle.remove()
    return kept[0]


def load_into_monai(network, state):
    missing, left = network.load_state_dict({to_torchvision(n): v for n, v in state.items()}, strict=False)
    assert not left and all(n.endswith("num_batches_tracked") for n in missing), (missing, left)


def image_of(shape, frequency=0.37):
    return torch.cos(frequency * torch.arange(math.prod(shape), dtype=torch.float64)).float().view(shape)
