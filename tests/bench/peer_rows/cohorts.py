"""Synthetic data sets in nnU-Net's raw layout, planned and prepared by both sides; what must be equal is held equal."""
import json
import os
import re
import shutil
import struct
import sys

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter

from .measuring import Failed, run

NNUNET = os.path.join(os.path.dirname(__file__), "nnunet_side.py")
LABELS = {"background": 0, "liver": 1, "lesion": 2}


def same(what, ours, theirs):
    """Equal on both sides, or the comparison would not be of the same work."""
    if ours != theirs:
        raise Failed(f"{what} differ: hepar {ours}, peer {theirs}")


def image_and_labels(size, seed):
    """A body with a liver and lesions in noise, no zeros: [z, y, x] int16 and uint8."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n, dtype=np.float32) for n in size], indexing="ij"))
    far = np.sqrt((grid ** 2).sum(0))
    near = np.sqrt(((grid - np.float32([0.1, -0.2, 0.15])[:, None, None, None]) ** 2).sum(0))
    labels = np.where(near < 0.18, 2, np.where(far < 0.55, 1, 0)).astype(np.uint8)
    noise = random.standard_normal(size, dtype=np.float32)
    texture = gaussian_filter(random.standard_normal(size, dtype=np.float32), (1, 3, 3))
    values = 400 + 150 * (labels == 1) - 120 * (labels == 2) - 200 * far + 400 * texture + 25 * noise
    return np.maximum(values, 1).astype(np.int16), labels


def write_nifti(path, array, spacing):
    """`array` [z, y, x], spacing z, y, x, in mm; RAS+."""
    affine = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), affine), path)


class Cohort:
    """`cases` (size, spacing) each z, y, x; WORK/NAME/{raw,preprocessed,results,cohort,plan.yaml,prepared}."""

    def __init__(self, context, name, number, cases):
        self.context, self.cases = context, cases
        self.folder = os.path.join(context.work, name)
        self.dataset = f"Dataset{number:03d}_{name.capitalize()}"
        self.number = number
        self.raw = os.path.join(self.folder, "raw", self.dataset)
        self.preprocessed = os.path.join(self.folder, "preprocessed", self.dataset)
        self.cohort, self.plan_file, self.prepared = (os.path.join(self.folder, n)
                                                      for n in ("cohort", "plan.yaml", "prepared"))
        self.environment = {f"nnUNet_{n}": os.path.join(self.folder, n) for n in ("raw", "preprocessed", "results")}
        self.environment["OMP_NUM_THREADS"] = "1"  # of each worker process, as nnU-Net advises

    def write_raw(self):
        if os.path.exists(os.path.join(self.raw, "dataset.json")):
            return
        for sub in ("imagesTr", "labelsTr"):
            os.makedirs(os.path.join(self.raw, sub), exist_ok=True)
        for i, (size, spacing) in enumerate(self.cases):
            image, labels = image_and_labels(size, i)
            write_nifti(os.path.join(self.raw, "imagesTr", f"case_{i:03d}_0000.nii.gz"), image, spacing)
            write_nifti(os.path.join(self.raw, "labelsTr", f"case_{i:03d}.nii.gz"), labels, spacing)
        with open(os.path.join(self.raw, "dataset.json"), "w", encoding="utf-8") as file:
            json.dump({"channel_names": {"0": "MR"}, "labels": LABELS, "numTraining": len(self.cases),
                       "file_ending": ".nii.gz"}, file)

    def nnunet(self, *arguments, **how):
        """Our script on the peer's side."""
        return run([sys.executable, NNUNET, *arguments], {**self.environment, **how.pop("environment", {})},
                   log=self.context.log, **how)

    def entry(self, name, *arguments, **how):
        """A console command of nnunetv2, by its entry point."""
        return self.nnunet("command", name, *arguments, **how)

    def convert(self, **how):
        shutil.rmtree(self.cohort, ignore_errors=True)
        return run([self.context.program("hepar-prep"), "convert", "--source", "nnunet", "--in", self.raw, "--out",
                    self.cohort], {"OMP_NUM_THREADS": str(self.context.threads)}, log=self.context.log, **how)

    def prepare(self, out, **how):
        shutil.rmtree(out, ignore_errors=True)
        return run([self.context.program("hepar-prep"), "prepare", "--data", self.cohort, "--plan", self.plan_file,
                    "--out", out, "--threads", self.context.threads], log=self.context.log, **how)

    def peer_preprocess(self, **how):
        shutil.rmtree(self.peer_cases(), ignore_errors=True)
        return self.entry("preprocess", "-d", self.number, "-c", "3d_fullres", "-np", self.context.threads, **how)

    def peer_cases(self):
        return os.path.join(self.preprocessed, "nnUNetPlans_3d_fullres")

    def plan_both(self):
        """Files, the fingerprint and both sides' plans."""
        self.write_raw()
        if not os.path.exists(self.cohort):
            self.convert()
        if not os.path.exists(os.path.join(self.preprocessed, "nnUNetPlans.json")):
            self.entry("extract_fingerprint", "-d", self.number, "-np", self.context.threads)
            self.entry("plan_experiment", "-d", self.number)
        if not os.path.exists(self.plan_file):
            run([self.context.program("hepar"), "plan", "--data", self.cohort, "--out", self.plan_file],
                log=self.context.log)
        self.check_plans()

    def ready(self):
        self.plan_both()
        if not os.path.exists(self.prepared):
            self.prepare(self.prepared)
        if not os.path.exists(self.peer_cases()):
            self.peer_preprocess()

    def peer_plans(self):
        with open(os.path.join(self.preprocessed, "nnUNetPlans.json"), encoding="utf-8") as file:
            return json.load(file)

    def plan(self):
        return read_plan(self.plan_file)

    def check_plans(self):
        ours, theirs = self.plan(), self.peer_plans()
        check_configuration(ours, theirs["configurations"]["3d_fullres"])
        same("axis orders", ours["transpose"], theirs["transpose_forward"])

    def check_prepared(self, prepared):
        """Both sides prepared cases of the same sizes."""
        with open(os.path.join(prepared, "prepared.json"), encoding="utf-8") as file:
            ours = sorted(case_size(c) for c in json.load(file)["cases"])
        shapes = last_json_of(self.nnunet("shapes", self.peer_cases()))
        same("sizes of prepared cases", ours, sorted(shapes["shapes"]))


def last_json_of(found):
    from .measuring import last_json
    return last_json(found["out"])


def case_size(case):
    size = case["size"]
    return [size[k] for k in "zyx"] if isinstance(size, dict) else list(size)


def read_plan(path):
    """What the comparison needs of plan.yaml: numbers and lists, each on one line or as a block of lists."""
    import yaml
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def check_configuration(ours, theirs):
    network = theirs["architecture"]["arch_kwargs"]
    for what, a, b in (("patches", ours["patch_size"], theirs["patch_size"]),
                       ("batch sizes", ours["batch_size"], theirs["batch_size"]),
                       ("batch Dice", ours["batch_dice"], theirs["batch_dice"]),
                       ("strides", ours["strides"], network["strides"]),
                       ("kernels", ours["kernels"], network["kernel_sizes"]),
                       ("features", ours["features"], network["features_per_stage"])):
        same(what, a, b)
    same("spacings", [round(v, 4) for v in ours["spacing_mm"]], [round(v, 4) for v in theirs["spacing"]])


def parameter_count(safetensors):
    """Numbers in a safetensors file, from its header."""
    with open(safetensors, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    total = 0
    for name, tensor in header.items():
        if not re.fullmatch("__metadata__", name):
            total += int(np.prod(tensor["shape"], dtype=np.int64))
    return total
