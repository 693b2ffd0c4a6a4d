#!/usr/bin/env python3
"""Every NIfTI file under a folder, read by hepar and by nibabel: equal, or refused with a reason.

    python tests/oracle/compare_nifti.py FOLDER PROGRAM     (PROGRAM: .../bin/hepar-prep)

Runs `PROGRAM inspect --in FILE --json` once a file; it must print one JSON object with the keys file,
status ("ok" or "refused"), reason, notes, size and spacing_mm (z, y, x), affine (4x4, RAS mm of the
indices x, y, z), type, slope, intercept, min, max, mean, and exit 0 or 3. Exits 1 when a file is read
differently, crashes the program or makes it print to stderr without a refusal.

Spatial units of metres and micrometres are converted, as hepar does; nibabel leaves them.
"""
import collections
import json
import logging
import os
import pathlib
import subprocess
import sys
import warnings

import nibabel as nib
import numpy as np

ENDINGS = (".nii", ".nii.gz", ".hdr", ".hdr.gz")
TIMEOUT_S = 120
AFFINE_TOLERANCE_MM = 1e-4
TO_MM = {1: 1e3, 3: 1e-3}


def wanted_affine(image):
    return np.diag([TO_MM.get(int(image.header["xyzt_units"]) & 7, 1.0)] * 3 + [1.0]) @ image.affine


def differences(found, image):
    """Names of what hepar reads differently from nibabel."""
    values = np.asarray(image.dataobj, dtype=np.float64)
    close = lambda a, b: np.isclose(a, b, rtol=1e-6, atol=1e-6 * max(1, np.abs(values).max()))
    result = []
    if tuple(found["size"]) != image.shape[2::-1]:
        result.append(f"size {found['size']}, nibabel {image.shape[2::-1]}")
    apart = np.abs(np.array(found["affine"], dtype=float) - wanted_affine(image)).max()
    if not apart <= AFFINE_TOLERANCE_MM:
        result.append(f"affine by {apart:g}")
    spacing = np.linalg.norm(wanted_affine(image)[:3, :3], axis=0)[::-1]
    if not np.allclose(found["spacing_mm"], spacing, rtol=1e-5):
        result.append(f"spacing {found['spacing_mm']}, nibabel {spacing.tolist()}")
    if found["type"] != image.get_data_dtype().newbyteorder("=").name:
        result.append(f"type {found['type']}")
    for key in ("min", "max", "mean"):
        if not close(found[key], getattr(values, key)()):
            result.append(f"{key} {found[key]}, nibabel {getattr(values, key)()}")
    return result


def inspect(program, path):
    run = subprocess.run([program, "inspect", "--in", str(path), "--json"], capture_output=True,
                         text=True, timeout=TIMEOUT_S, check=False)
    if run.returncode not in (0, 3):
        raise RuntimeError(f"exit {run.returncode}: {run.stderr[-500:]}")
    if run.returncode == 0 and run.stderr:
        raise RuntimeError(f"printed to stderr: {run.stderr[-500:]}")
    found = json.loads(run.stdout)
    if found["status"] == "refused" and not found.get("reason"):
        raise RuntimeError("refused without a reason")
    return found


def check(program, path):
    """One of the outcomes that are counted, and its explanation."""
    try:
        found = inspect(program, path)
    except (RuntimeError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        return "FAILED", str(error)
    if found["status"] == "refused":
        return "refused", found["reason"]
    try:
        image = nib.load(path)
        wrong = differences(found, image)
    except Exception as error:  # whatever nibabel raises: it has no answer to compare with
        return "read, not by nibabel", str(error)
    return ("DIFFERENT", "; ".join(wrong)) if wrong else ("equal", "; ".join(found["notes"]))


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    folder, program = sys.argv[1:3]
    paths = sorted(pathlib.Path(at) / name for at, _, names in os.walk(folder) for name in names
                   if name.lower().endswith(ENDINGS))
    counts = collections.Counter()
    for path in paths:
        outcome, why = check(program, path)
        counts[outcome] += 1
        if why:
            print(f"{outcome}: {path.relative_to(folder)}: {why}")
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    sys.exit(1 if counts["FAILED"] or counts["DIFFERENT"] or not paths else 0)


if __name__ == "__main__":
    main()
