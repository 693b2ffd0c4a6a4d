#!/usr/bin/env python3
"""Vectors for tests/image/{nifti,orientation}_test.cpp, made with nibabel (5.4 was used).

    python tests/oracle/nifti.py        writes tests/oracle/vectors/nifti.json

"files": small NIfTI files as base64 with what nibabel reads from them: shape (x, y, z), affine, and
real values in memory order (x fastest). "orientations": random grids, among them exact axis swaps and
steep obliques, with nibabel's closest canonical form of a counting array.
"""
import base64
import json
import pathlib

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from nibabel.quaternions import quat2mat

random = np.random.default_rng(20240229)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def rotation():
    q = random.normal(size=4)
    return quat2mat(q / np.linalg.norm(q))


def affine(turn, spacing, origin):
    result = np.eye(4)
    result[:3, :3] = turn @ np.diag(spacing)
    result[:3, 3] = origin
    return result


def one_file(version, order, kind, scaled, forms):
    """The file's bytes and what nibabel makes of them; forms: 'q', 's' or 'qs'."""
    header_class = nib.Nifti1Header if version == 1 else nib.Nifti2Header
    shape = tuple(int(n) for n in random.integers(1, 5, size=3))
    matrix = affine(rotation(), random.uniform(0.4, 8, 3), random.uniform(-200, 200, 3))
    if random.random() < 0.5:
        matrix[:3, 0] *= -1  # a left-handed grid: qfac -1
    header = header_class(endianness=order)
    data_type = np.dtype(order + kind)
    header.set_data_dtype(data_type)
    header.set_data_shape(shape)
    header["pixdim"][1:4] = np.linalg.norm(matrix[:3, :3], axis=0)
    header.set_qform(matrix if "q" in forms else None, code=1 if "q" in forms else 0)
    if "s" in forms:
        header.set_sform(matrix, code=2)
    if scaled:
        header.set_slope_inter(0.25 * random.integers(1, 9), float(random.integers(-50, 50)))
    if data_type.kind == "f":
        stored = random.normal(0, 100, shape)
    else:
        limits = np.iinfo(data_type)
        stored = random.integers(max(limits.min, -(2**40)), min(limits.max, 2**40), shape)
    stored = stored.astype(data_type)
    header["magic"] = header_class.single_magic
    header["vox_offset"] = 352 if version == 1 else 544
    raw = header.binaryblock + b"\0\0\0\0" + stored.tobytes(order="F")

    image_class = nib.Nifti1Image if version == 1 else nib.Nifti2Image
    image = image_class.from_bytes(raw)
    assert image.shape == shape
    return {
        "name": f"nifti{version} {order} {kind} {forms}" + (" scaled" if scaled else ""),
        "bytes": base64.b64encode(raw).decode(),
        "shape": list(shape),
        "affine": [float(v) for v in image.affine.ravel()],
        "values": [float(v) for v in np.asarray(image.get_fdata()).ravel(order="F")],
    }


def files():
    result = []
    for i, kind in enumerate(TYPES):
        for version in (1, 2):
            order = "<>"[(i + version) % 2]
            forms = ["q", "s", "qs"][(i + version) % 3]
            result.append(one_file(version, order, kind, i % 2 == 0, forms))
    return result


def grids():
    """Affines: every signed permutation, then obliques of all steepnesses."""
    for axes in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        for signs in range(8):
            turn = np.zeros((3, 3))
            for column, row in enumerate(axes):
                turn[row, column] = -1 if signs >> column & 1 else 1
            yield turn
    for i in range(60):
        turn = rotation()
        if i % 2:
            turn[:, 0] *= -1
        yield turn


def orientations():
    result = []
    for i, turn in enumerate(grids()):
        shape = tuple(int(n) for n in random.permutation([2, 3, 4]))
        matrix = affine(turn, random.uniform(0.4, 8, 3), random.uniform(-200, 200, 3))
        counting = np.arange(np.prod(shape), dtype=np.int16).reshape(shape, order="F")
        how = io_orientation(matrix)
        canonical = apply_orientation(counting, how)
        result.append({
            "shape": list(shape),
            "affine": [float(v) for v in matrix.ravel()],
            "canonical_shape": list(canonical.shape),
            "canonical_affine": [float(v) for v in (matrix @ inv_ornt_aff(how, shape)).ravel()],
            "canonical_voxels": [int(v) for v in canonical.ravel(order="F")],
        })
    return result


def main():
    vectors = {"files": files(), "orientations": orientations()}
    out = pathlib.Path(__file__).parent / "vectors" / "nifti.json"
    lines = [f'"{key}": [\n' + ",\n".join(json.dumps(v) for v in value) + "\n]"
             for key, value in vectors.items()]
    out.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
