#!/usr/bin/env python3
"""tests/oracle/dicom.py REAL_DATA > tests/oracle/vectors/dicom.json

What pydicom (with pylibjpeg) and nibabel say of real DICOM files: hashes of the stored pixels and the geometry,
slices ordered by position along the normal. tests/image/dicom_real_test.cpp compares. Nothing of the files' content
is kept. Needs pydicom, pylibjpeg-libjpeg, pylibjpeg-openjpeg, nibabel, numpy, xxhash."""
import json
import sys
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import xxhash

SERIES = [
    "chaos_ct_eval/Data_3D/DICOM_anon",
    "udacity_dicom_studies/Study3/11-T1post-18670",
]
# Series with a reference NIfTI made by another tool (dicom2nifti).
REFERENCED = "dicom2nifti_tests"
# Lossy JPEG: two right decoders differ by one grey level.
LOSSY = "1.2.840.10008.1.2.4.51"
SINGLES = ["pydicom_test_files", "dcm_qa_ts/In", "dcm_qa_enh/In"]


def frames_of(dataset):
    """(pixels, position, orientation, spacing) of every frame, pixels as stored."""
    pixels = dataset.pixel_array
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    if not groups:
        return [(pixels, dataset.get("ImagePositionPatient"), dataset.get("ImageOrientationPatient"),
                 dataset.get("PixelSpacing"))]
    shared = dataset.SharedFunctionalGroupsSequence[0]

    def find(group, sequence, name):
        for place in (group, shared):
            if sequence in place:
                return place[sequence][0].get(name)
        return None

    stack = pixels if pixels.ndim == 3 else pixels[None]
    return [(stack[i], find(g, "PlanePositionSequence", "ImagePositionPatient"),
             find(g, "PlaneOrientationSequence", "ImageOrientationPatient"),
             find(g, "PixelMeasuresSequence", "PixelSpacing")) for i, g in enumerate(groups)]


def volume_of(files):
    frames = []
    for file in files:
        frames += frames_of(pydicom.dcmread(file, force=True))
    row, column = np.array(frames[0][2][:3], float), np.array(frames[0][2][3:], float)
    normal = np.cross(row, column)
    frames.sort(key=lambda f: float(np.dot(normal, np.array(f[1], float))))
    at = [np.dot(normal, np.array(f[1], float)) for f in frames]
    step = (at[-1] - at[0]) / (len(at) - 1)
    spacing = [float(v) for v in frames[0][3]]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = row * spacing[1], column * spacing[0], normal * step
    affine[:3, 3] = np.array(frames[0][1], float)
    return np.stack([f[0] for f in frames]), np.diag([-1, -1, 1, 1]) @ affine


def describe(path, voxels, affine=None):
    voxels = voxels.astype(voxels.dtype.newbyteorder("="))
    return {"path": str(path), "type": str(voxels.dtype), "size": list(voxels.shape),
            "xxh64": xxhash.xxh64(np.ascontiguousarray(voxels).tobytes()).hexdigest(),
            "affine": None if affine is None else np.round(affine, 6).tolist()}


def reference_of(path):
    """A NIfTI as (z, y, x) values in RAS+ order: its size, affine and the sum and hash of rounded values."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    if image.get_data_dtype().fields:
        return None  # colour
    values = np.round(np.asarray(image.dataobj, dtype=np.float64)).astype(np.int32)
    if values.ndim != 3:
        return None
    voxels = np.ascontiguousarray(values.transpose(2, 1, 0))
    return {"size": list(voxels.shape), "affine": np.round(image.affine, 5).tolist(),
            "xxh64": xxhash.xxh64(voxels.tobytes()).hexdigest()}


def singles(root):
    for folder in SINGLES:
        for file in sorted((root / folder).rglob("*")):
            if not file.is_file() or file.suffix in (".json", ".md", ".txt", ".dump", ".zip"):
                continue
            entry = {"path": str(file.relative_to(root)), "xxh64": None}
            try:
                dataset = pydicom.dcmread(file, force=True)
                pixels = dataset.pixel_array
                if dataset.file_meta.get("TransferSyntaxUID") == LOSSY:
                    raise ValueError("lossy")
                grey = dataset.SamplesPerPixel == 1 and dataset.BitsAllocated in (8, 16, 32)
                if dataset.PhotometricInterpretation.startswith("MONO") and grey and pixels.ndim == 2:
                    entry = describe(file.relative_to(root), pixels[None])
            except Exception:  # pylint: disable=broad-except
                pass  # undecodable for pydicom: nothing to compare with
            yield entry


def main():
    warnings.simplefilter("ignore")
    root = Path(sys.argv[1])
    series = []
    for folder in SERIES:
        voxels, affine = volume_of(sorted((root / folder).iterdir()))
        series.append(describe(folder, voxels, affine))
    referenced = []
    for truth in sorted((root / REFERENCED).rglob("*_ground_truth.nii.gz")):
        folder = truth.with_name(truth.name.replace("_ground_truth.nii.gz", ""))
        reference = reference_of(truth)
        if folder.is_dir() and reference:
            referenced.append({"path": str(folder.relative_to(root)), **reference})
    json.dump({"series": series, "referenced": referenced, "singles": list(singles(root))}, sys.stdout, indent=0)
    print()


main()
