#!/usr/bin/env python3
"""MedicalNet's ResNet weights (*.pth) as safetensors under hepar's names, for backbone r34.

Usage: import_medicalnet.py resnet_34_23dataset.pth r34.safetensors

The files are written by PyTorch 0.4's torch.save, a pickle that nothing but torch reads. Needs torch and
safetensors (PyPI); nothing in the file is executed. Source of the weights: Tencent/MedicalNet, MIT licence.
"""
import argparse
import hashlib
import os
import re
import sys

import torch
from safetensors.torch import save_file

# A tensor's name behind "module.": what it becomes, or None where hepar has no use for it.
RULES = [
    (r"conv_seg\..*", None),                      # the segmentation head
    (r".*\.num_batches_tracked", None),
    (r"conv1\.weight", r"conv1.weight"),
    (r"bn1\.(weight|bias|running_mean|running_var)", r"norm1.\1"),
    (r"(layer\d\.\d+)\.conv(\d)\.weight", r"\1.conv\2.weight"),
    (r"(layer\d\.\d+)\.bn(\d)\.(weight|bias|running_mean|running_var)", r"\1.norm\2.\3"),
    (r"(layer\d\.\d+)\.downsample\.0\.weight", r"\1.shortcut.conv.weight"),
    (r"(layer\d\.\d+)\.downsample\.1\.(weight|bias|running_mean|running_var)", r"\1.shortcut.norm.\2"),
]
BLOCKS = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}


class BadFile(Exception):
    """The file is not what it should be; the text says how."""


def new_name(name):
    for pattern, replacement in RULES:
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(replacement) if replacement is not None else None
    raise BadFile(f"unknown tensor {name!r}; wanted a 3D ResNet of MedicalNet")


def read_state(path):
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises a dozen kinds; its texts advise to run the file's code
        raise BadFile(f"not a file of torch.save that holds tensors only ({type(error).__name__})") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise BadFile("wanted a dictionary of tensors, or one under 'state_dict'")
    return state


def renamed(state):
    tensors = {}
    for name, value in state.items():
        own = new_name(name.removeprefix("module."))
        if own is not None:
            tensors[own] = value.detach().to(torch.float32).contiguous().clone()
    return tensors


def check(tensors):
    stem = tensors.get("conv1.weight")
    if stem is None or stem.dim() != 5 or tuple(stem.shape[2:]) != (7, 7, 7):
        raise BadFile("wanted a stem conv1.weight [width, channels, 7, 7, 7], found "
                      f"{None if stem is None else list(stem.shape)}")
    for layer, wanted in BLOCKS.items():
        found = len({n.split(".")[1] for n in tensors if n.startswith(layer + ".")})
        if found != wanted:
            raise BadFile(f"wanted {wanted} blocks in {layer}, found {found}: not a ResNet-34")
    if any(".conv3." in n for n in tensors):
        raise BadFile("wanted basic blocks of two convolutions, found bottlenecks: not a ResNet-34")


def metadata_of(path, tensors):
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    projects = any(".shortcut." in n for n in tensors)
    return {"source": os.path.basename(path), "sha256": digest, "backbone": "r34", "norm": "batch",
            "shortcut": "b" if projects else "a", "width": str(tensors["conv1.weight"].shape[0])}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input")
    parser.add_argument("output")
    arguments = parser.parse_args()
    try:
        state = read_state(arguments.input)
        tensors = renamed(state)
        check(tensors)
        metadata = metadata_of(arguments.input, tensors)
    except (BadFile, OSError) as error:
        print(f"{arguments.input}: {error}", file=sys.stderr)
        return 3
    partial = arguments.output + ".partial"
    save_file(tensors, partial, metadata=metadata)
    os.replace(partial, arguments.output)
    print(f"{arguments.output}: {len(tensors)} tensors, {len(state) - len(tensors)} left out; shortcut "
          f"{metadata['shortcut']}, {tensors['conv1.weight'].shape[1]} input channel(s), width {metadata['width']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
