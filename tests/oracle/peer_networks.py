"""Staging networks against Python: peer_networks.py PEER_PROGRAM IMPORT_TOOL

1. Weights drawn and exported by the program, in a ResNet-34 written from scratch and in MONAI's, give its features
   and logits. 2. A checkpoint in MedicalNet's own form (legacy pickle, "module.", conv_seg) goes through the import
   tool into the program and gives the features of the network that wrote it; with a second channel too.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from residual_networks import (Residual, image_of, load_into_monai, monai_features, monai_network, to_torchvision)

PROGRAM, TOOL = sys.argv[1], sys.argv[2]
TOLERANCE = 1e-4
SHAPE = [21, 24, 19]


def run(folder, how, voi, weights=None):
    save_file({"voi": voi}, folder / "voi.safetensors")
    command = [PROGRAM, how["name"], how["norm"], how["shortcut"], str(how["width"]), folder / "voi.safetensors"]
    command += [weights] if weights else []
    subprocess.run([str(part) for part in command + [folder / "out.safetensors"]], check=True)
    return load_file(folder / "out.safetensors")


def close(what, found, wanted):
    size = float(wanted.abs().max())
    error = float((found - wanted).abs().max()) / size
    print(f"{what}: {error:.1e} of {size:.3g}")
    assert found.shape == wanted.shape and error <= TOLERANCE, what


def exported(folder, how, channels):
    voi = image_of([2, channels] + SHAPE)
    out = run(folder, how, voi)
    state = {n.removeprefix("backbone."): v for n, v in out.items() if n.startswith("backbone.")}
    peer = Residual(how["name"], channels, how["width"], how["norm"], how["shortcut"]).eval()
    missing, left = peer.load_state_dict(state, strict=False)
    assert not left and all("num_batches" in n for n in missing), (missing, left)
    with torch.no_grad():
        features = peer(voi)
    what = f"{how['name']}, {how['norm']}, shortcut {how['shortcut']}, width {how['width']}"
    close(what + ": features", out["features"], features)
    logits = features.mean((2, 3, 4)) @ out["head.weight"].T + out["head.bias"]
    close(what + ": logits", out["logits"], logits)
    if how["name"] == "r34_strided":
        monai = monai_network(channels, how["width"], how["shortcut"]).eval()
        load_into_monai(monai, state)
        close(what + ": MONAI's features", out["features"], monai_features(monai, voi))


def legacy_checkpoint(path, peer):
    """As MedicalNet's trainer wrote it: wrapped for several GPUs, with its segmentation head, before zip files."""
    state = {"module." + to_torchvision(n): v for n, v in peer.state_dict().items()}
    state["module.conv_seg.0.weight"] = torch.randn(8, 4, 2, 2, 2)
    torch.save({"state_dict": state, "epoch": 3}, path, _use_new_zipfile_serialization=False)


def imported(folder):
    torch.manual_seed(3)
    how = dict(name="r34", norm="batch", shortcut="a", width=4)
    peer = Residual("r34", 1, 4, "batch", "a")
    peer.train()
    for _ in range(20):  # running statistics of its own
        peer(torch.randn(2, 1, *SHAPE))
    peer.eval()
    legacy_checkpoint(folder / "resnet_34.pth", peer)
    weights = folder / "r34.safetensors"
    subprocess.run([sys.executable, TOOL, folder / "resnet_34.pth", weights], check=True)
    image = image_of([1, 1] + SHAPE)
    with torch.no_grad():
        features = peer(image)
    close("MedicalNet's checkpoint", run(folder, how, image, weights)["features"], features)
    mask = torch.cat([image, (image > 0).float()], 1)
    close("MedicalNet's checkpoint, image and mask", run(folder, how, mask, weights)["features"], features)

    (folder / "text.pth").write_text("not a checkpoint")
    torch.save({"state_dict": {"module.fc.weight": torch.zeros(1)}}, folder / "other.pth")
    for name in ["text.pth", "other.pth", "absent.pth"]:
        done = subprocess.run([sys.executable, TOOL, folder / name, folder / "no.safetensors"], capture_output=True,
                              text=True)
        assert done.returncode == 3 and name in done.stderr, done
        assert not (folder / "no.safetensors").exists()


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exported(folder, dict(name="imr_r34gn", norm="group", shortcut="b", width=64), 2)
        exported(folder, dict(name="r34", norm="group", shortcut="b", width=8), 2)
        exported(folder, dict(name="r34", norm="batch", shortcut="a", width=8), 1)
        exported(folder, dict(name="r34_strided", norm="batch", shortcut="b", width=16), 2)
        exported(folder, dict(name="r34_strided", norm="batch", shortcut="a", width=8), 1)
        imported(folder)
    print("networks agree")


main()
