"""Imported nnU-Net v2 models predict as nnU-Net v2 itself does: logits before export and masks.

    compare_nnunet.py PROGRAMS [--models plain,residual,regions] [--keep FOLDER]

needs nnunetv2, SimpleITK and safetensors (PyPI). Three small models are trained for a few steps on synthetic cases
(so that masks are no noise), saved as nnU-Net saves its checkpoints, imported with
data_prep/tools/import_nnunet.py and applied by `hepar predict` to five cases: LPS, RAS, oblique, sagittal and thick
slices (resampled with separate z). nnU-Net adds its tiles up in half precision, which costs it more than the limit;
so the logits are held against its predictor with the sums in single precision, and the masks of the first model
against both. Exit 1 when a limit is broken.
"""
import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile

sys.path.pop(0)  # a script beside this one is called statistics, as a module of the standard library is
for variable in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(variable, tempfile.gettempdir())

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.inference import predict_from_raw_data as upstream
from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from safetensors.numpy import load_file

LOGITS, NETWORK, DICE = 1e-3, 1e-4, 0.999  # limits
TOOL = os.path.join(os.path.dirname(__file__), "..", "..", "data_prep", "tools", "import_nnunet.py")
OBLIQUE = np.array([[0.9362934, -0.2750959, 0.2183507], [0.2896295, 0.9564250, -0.0369570],
                    [-0.1986693, 0.0978434, 0.9751703]])
CASES = {  # direction columns x, y, z in LPS; spacing and size in x, y, z
    "lps": (np.eye(3), (1.1, 1.1, 2.0), (52, 46, 24)),
    "ras": (np.diag([-1.0, -1.0, 1.0]), (1.3, 1.0, 2.2), (40, 50, 20)),
    "oblique": (OBLIQUE, (1.2, 1.2, 1.9), (44, 44, 26)),
    "sagittal": (np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]]), (1.0, 1.4, 1.6), (50, 36, 28)),
    "thick": (np.eye(3), (0.9, 0.9, 6.5), (60, 56, 12)),
}
STRIDES = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
KERNELS = [[1, 3, 3], [3, 3, 3], [3, 3, 3]]


def architecture(kind):
    blocks = {"n_conv_per_stage": [2, 2, 2]} if kind == "PlainConvUNet" else {"n_blocks_per_stage": [1, 2, 2]}
    decoder = [2, 2] if kind == "PlainConvUNet" else [1, 1]
    return {"network_class_name": f"dynamic_network_architectures.architectures.unet.{kind}",
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            "arch_kwargs": {"n_stages": 3, "features_per_stage": [8, 16, 32], "kernel_sizes": KERNELS,
                            "strides": STRIDES, **blocks, "n_conv_per_stage_decoder": decoder,
                            "conv_op": "torch.nn.modules.conv.Conv3d", "conv_bias": True,
                            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                            "norm_op_kwargs": {"eps": 1e-5, "affine": True}, "dropout_op": None,
                            "dropout_op_kwargs": None, "nonlin": "torch.nn.LeakyReLU",
                            "nonlin_kwargs": {"inplace": True}}}


def old_architecture():
    """The same plain network as plans before v2.4 describe it."""
    return {"UNet_class_name": "PlainConvUNet", "UNet_base_num_features": 8, "unet_max_num_features": 32,
            "n_conv_per_stage_encoder": [2, 2, 2], "n_conv_per_stage_decoder": [2, 2],
            "num_pool_per_axis": [1, 2, 2], "pool_op_kernel_sizes": STRIDES, "conv_kernel_sizes": KERNELS}


def plans_of(spacing, transpose, schemes, network):
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    functions = {f"resampling_fn_{what}": "resample_data_or_seg_to_shape" for what in ("data", "seg", "probabilities")}
    base = {"preprocessor_name": "DefaultPreprocessor", "batch_size": 2, "patch_size": [16, 32, 32],
            "median_image_size_in_voxels": [24.0, 48.0, 48.0], "spacing": spacing, "batch_dice": True,
            "normalization_schemes": schemes, "use_mask_for_norm": [s == "ZScoreNormalization" for s in schemes],
            **functions, "resampling_fn_data_kwargs": resampling,
            "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
            "resampling_fn_probabilities_kwargs": {**resampling, "order": 1}, **network}
    backward = [int(i) for i in np.argsort(transpose)]
    intensities = {"mean": 210.0, "std": 55.0, "percentile_00_5": 60.0, "percentile_99_5": 330.0,
                   "min": 0.0, "max": 400.0, "median": 200.0}
    return {"dataset_name": "Dataset999_Synthetic", "plans_name": "nnUNetPlans", "image_reader_writer": "SimpleITKIO",
            "transpose_forward": transpose, "transpose_backward": backward, "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {str(i): intensities for i in range(len(schemes))},
            "configurations": {"base": base, "3d_fullres": {"inherits_from": "base"}}}


LABELS = {"background": 0, "liver": 1, "lesion": 2}
REGIONS = {"background": 0, "whole": [1, 2], "lesion": 2}
MODELS = [
    dict(name="plain", folds=["0"], channels=1, labels=LABELS, mirror=(0, 1, 2),
         plans=plans_of([2.0, 1.2, 1.2], [0, 1, 2], ["CTNormalization"], old_architecture())),
    dict(name="residual", folds=["0", "1"], channels=2, labels=LABELS, mirror=(0, 2),
         plans=plans_of([1.7, 1.4, 1.3], [2, 0, 1], ["ZScoreNormalization", "RescaleTo01Normalization"],
                        {"architecture": architecture("ResidualEncoderUNet")})),
    dict(name="regions", folds=["all"], channels=1, labels=REGIONS, mirror=None,
         plans=plans_of([4.5, 1.2, 1.2], [0, 1, 2], ["ZScoreNormalization"],
                        {"architecture": architecture("PlainConvUNet")})),
]


def synthetic(name, channels, seed):
    """Channels and labels: a bright ball with a brighter one inside, in noise, surrounded by zeros."""
    direction, spacing, size = CASES[name]
    random = np.random.default_rng(seed)
    shape = size[::-1]
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    far = np.sqrt((grid ** 2).sum(0))
    near = np.sqrt(((grid - np.array([0.1, -0.2, 0.15])[:, None, None, None]) ** 2).sum(0))
    labels = np.where(near < 0.3, 2, np.where(far < 0.6, 1, 0))
    images = []
    for channel in range(channels):
        values = 120 + 80 * labels * (1 if channel == 0 else -0.4) + random.normal(0, 25, shape) + 15 * grid[2]
        image = sitk.GetImageFromArray(np.where(far < 1.25, values, 0).astype(np.float32))
        image.SetSpacing(spacing)
        image.SetDirection(direction.flatten().tolist())
        image.SetOrigin((-31.5, 12.25, 140.0))
        images.append(image)
    return images, labels


def train(plans, dataset, channels, labels, seed):
    """A few steps, enough for masks that look like something."""
    manager = PlansManager(json.loads(json.dumps(plans)))
    configuration = manager.get_configuration("3d_fullres")
    heads = manager.get_label_manager(dataset).num_segmentation_heads
    torch.manual_seed(seed)
    network = get_network_from_plans(configuration.network_arch_class_name, configuration.network_arch_init_kwargs,
                                     configuration.network_arch_init_kwargs_req_import, channels, heads,
                                     allow_init=True, deep_supervision=False)
    images, truth = synthetic("lps", channels, seed)
    data, seg, _ = DefaultPreprocessor(verbose=False).run_case_npy(
        np.stack([sitk.GetArrayFromImage(i) for i in images]), truth[None].astype(np.int16),
        {"spacing": list(images[0].GetSpacing())[::-1]}, manager, configuration, dataset)
    target = torch.from_numpy(np.clip(seg, 0, None).astype(np.int64))
    data = torch.from_numpy(data)
    region = any(isinstance(v, list) for v in labels.values())
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    random = np.random.default_rng(seed)
    for _ in range(30):
        start = [int(random.integers(0, max(1, n - p + 1))) for n, p in zip(data.shape[1:], (16, 32, 32))]
        cut = tuple(slice(s, s + p) for s, p in zip(start, (16, 32, 32)))
        x, y = data[(slice(None), *cut)][None], target[(0, *cut)][None]
        pad = [v for n, p in zip(reversed(x.shape[2:]), (32, 32, 16)) for v in (0, p - n)]
        x, y = torch.nn.functional.pad(x, pad), torch.nn.functional.pad(y, pad)
        logits = network(x)
        if region:
            wanted = torch.stack([y > 0, y == 2], 1).float()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        else:
            loss = torch.nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval(), optimizer


def write_model(model, folder):
    dataset = {"channel_names": {str(i): f"mr{i}" for i in range(model["channels"])}, "labels": model["labels"],
               "numTraining": 1, "file_ending": ".nii.gz"}
    if model["labels"] is REGIONS:
        dataset["regions_class_order"] = [1, 2]
    os.makedirs(folder)
    for name, content in (("plans", model["plans"]), ("dataset", dataset)):
        with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump(content, file)
    for seed, fold in enumerate(model["folds"]):
        network, optimizer = train(model["plans"], dataset, model["channels"], model["labels"], seed)
        checkpoint = {"network_weights": network.state_dict(), "optimizer_state": optimizer.state_dict(),
                      "grad_scaler_state": None, "logging": {"ema_fg_dice": [np.float64(0.5), np.float32(0.25)]},
                      "_best_ema": np.float64(0.5), "current_epoch": 1,
                      "init_args": {"plans": model["plans"], "configuration": "3d_fullres", "fold": fold,
                                    "dataset_json": dataset, "device": torch.device("cpu")},
                      "trainer_name": "nnUNetTrainer", "inference_allowed_mirroring_axes": model["mirror"]}
        os.makedirs(os.path.join(folder, f"fold_{fold}"))
        torch.save(checkpoint, os.path.join(folder, f"fold_{fold}", "checkpoint_final.pth"))


@contextlib.contextmanager
def single_precision_sums():
    """nnU-Net's predictor with float32 where it has float16."""
    half, gaussian = torch.half, upstream.compute_gaussian
    torch.half = torch.float32
    upstream.compute_gaussian = functools.partial(gaussian, dtype=torch.float32)
    try:
        yield
    finally:
        torch.half, upstream.compute_gaussian = half, gaussian


def dice(a, b):
    scores = []
    for label in range(1, 3):
        total = (a == label).sum() + (b == label).sum()
        scores.append(1.0 if total == 0 else 2.0 * ((a == label) & (b == label)).sum() / total)
    return min(scores)


def hepar(programs, *arguments):
    subprocess.run([os.path.join(programs, "hepar"), *arguments], check=True, stdout=subprocess.DEVNULL)


class Comparison:
    def __init__(self, model, folder, programs):
        self.model, self.folder, self.programs, self.failed = model, folder, programs, False
        self.images = os.path.join(folder, "images")
        os.makedirs(self.images)
        for seed, name in enumerate(CASES):
            for channel, image in enumerate(synthetic(name, model["channels"], 100 + seed)[0]):
                sitk.WriteImage(image, os.path.join(self.images, f"{name}_{channel:04d}.nii.gz"))
        self.trained = os.path.join(folder, "trained")
        write_model(model, self.trained)
        self.imported = os.path.join(folder, "imported")
        subprocess.run([sys.executable, TOOL, "--model", self.trained, "--out", self.imported], check=True,
                       stdout=subprocess.DEVNULL)
        self.predictor = upstream.nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
        self.predictor.initialize_from_trained_model_folder(self.trained, model["folds"])

    def limit(self, holds, what):
        self.failed = self.failed or not holds
        return what if holds else f"{what} FAILED"

    def predict(self, images, out, *options):
        models = ",".join(os.path.join(self.imported, f"fold_{f}") for f in self.model["folds"])
        hepar(self.programs, "predict", "--model", models, "--in", images, "--out", out, "--save-logits",
              "--threads", "1", "--device", "cpu", *options)

    def preprocess(self, files):
        p = self.predictor
        data, _, properties = DefaultPreprocessor(verbose=False).run_case(
            files, None, p.plans_manager, p.configuration_manager, p.dataset_json)
        return torch.from_numpy(data), properties

    def export(self, logits, properties):
        p = self.predictor
        return convert_predicted_logits_to_segmentation_with_correct_shape(
            logits, p.plans_manager, p.configuration_manager, p.label_manager, properties)

    def case(self, name, out):
        files = [os.path.join(self.images, f"{name}_{c:04d}.nii.gz") for c in range(self.model["channels"])]
        data, properties = self.preprocess(files)
        with single_precision_sums():
            wanted = self.predictor.predict_logits_from_preprocessed_data(data)
        logits = load_file(os.path.join(out, "logits", f"{name}.safetensors"))["logits"]
        image = sitk.ReadImage(os.path.join(out, f"{name}.nii.gz"))
        mask = sitk.GetArrayFromImage(image)
        same = logits.shape == tuple(wanted.shape)
        difference = np.abs(logits - wanted.numpy()).max() if same else np.inf
        grid = np.allclose(image.GetDirection(), sitk.ReadImage(files[0]).GetDirection(), atol=1e-5)
        share = [float((mask == label).mean()) for label in (1, 2)]
        score = dice(mask, self.export(wanted, properties))
        print(f"{self.model['name']:9} {name:9} {str(logits.shape):18}",
              self.limit(difference <= LOGITS, f"logits {difference:.1e} of {np.abs(logits).max():.1f},"),
              self.limit(score >= DICE, f"DSC {score:.5f},"), self.limit(grid, "grid,"),
              self.limit(min(share) > 0.001, f"labels {share[0]:.3f} {share[1]:.3f}"), flush=True)
        if self.model is MODELS[0]:
            self.half_precision(data, properties, logits, mask)

    def half_precision(self, data, properties, logits, mask):
        """Against nnU-Net as it is."""
        plain = self.predictor.predict_logits_from_preprocessed_data(data)
        inner = tuple(slice(n // 8, n - n // 8) for n in logits.shape[1:])
        difference = np.abs(logits - plain.float().numpy())
        score = dice(mask, self.export(plain, properties))
        print(f"{'':20}its sums in half precision: logits {difference.max():.1e}, "
              f"inside {difference[(slice(None), *inner)].max():.1e},",
              self.limit(score >= DICE, f"DSC {score:.5f}"), flush=True)

    def network(self):
        """One patch, not resampled, not mirrored: what leaves the network."""
        images = os.path.join(self.folder, "patch")
        os.makedirs(images)
        spacing = self.predictor.configuration_manager.spacing
        forward = self.predictor.plans_manager.transpose_forward
        size, space = [0, 0, 0], [0.0, 0.0, 0.0]
        for axis, source in enumerate(forward):
            size[source], space[source] = (16, 32, 32)[axis], spacing[axis]
        files = []
        for channel in range(self.model["channels"]):
            values = 200 + 60 * np.random.default_rng(channel).normal(size=size)
            image = sitk.GetImageFromArray(np.maximum(values, 1).astype(np.float32))
            image.SetSpacing([float(v) for v in space[::-1]])
            files.append(os.path.join(images, f"patch_{channel:04d}.nii.gz"))
            sitk.WriteImage(image, files[-1])
        out = os.path.join(self.folder, "patch_out")
        self.predict(images, out, "--set", "mirror=false")
        data, _ = self.preprocess(files)
        total = 0
        for parameters in self.predictor.list_of_parameters:
            self.predictor.network.load_state_dict(parameters)
            with torch.no_grad():
                total = total + self.predictor.network.eval()(data[None])[0].numpy()
        wanted = total / len(self.predictor.list_of_parameters)
        difference = np.abs(load_file(os.path.join(out, "logits", "patch.safetensors"))["logits"] - wanted).max()
        print(f"{self.model['name']:9} network  ", self.limit(difference <= NETWORK, f"logits {difference:.1e}"))

    def run(self):
        out = os.path.join(self.folder, "masks")
        self.predict(self.images, out)
        self.network()
        for name in CASES:
            self.case(name, out)
        return self.failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", help="folder of hepar and hepar-engine")
    parser.add_argument("--models", default=",".join(model["name"] for model in MODELS))
    parser.add_argument("--keep", default="", help="work in this folder and leave it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.keep or temporary
        failed = [Comparison(model, os.path.join(work, model["name"]), arguments.programs).run() for model in MODELS
                  if model["name"] in arguments.models.split(",")]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
