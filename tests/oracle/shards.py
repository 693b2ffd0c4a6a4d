#!/usr/bin/env python3
"""Peers read what hepar writes and hepar reads what they write.

usage: shards.py PROGRAM, where PROGRAM is the compiled tests/io/peer_files.cpp:
  PROGRAM write FOLDER     lz4.h5, zstd.h5, weights.safetensors from a formula known to both sides
  PROGRAM check FOLDER     reads peer.h5 and peer.safetensors and compares them with the formula
"""

import pathlib
import subprocess
import sys
import tempfile

import h5py
import hdf5plugin
import numpy as np
import safetensors.numpy

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
SHAPES = {1: ((1000,), (300,)), 2: ((40, 30), (16, 30)), 3: ((37, 50, 41), (16, 32, 32)),
          4: ((2, 9, 20, 30), (1, 4, 20, 16))}


def formula(shape, dtype):
    """Element i is (i * 7919 + i // 64) mod 251, which every type can hold when shifted into int8."""
    i = np.arange(np.prod(shape), dtype=np.int64)
    values = (i * 7919 + i // 64) % 251
    return (values - 125 if dtype == "int8" else values).astype(dtype).reshape(shape)


def check_shard(path):
    with h5py.File(path, "r") as shard:
        for dtype in TYPES:
            for rank, (shape, chunk) in SHAPES.items():
                array = shard[f"/{dtype}/{rank}"]
                assert array.dtype == np.dtype(dtype), (array.name, array.dtype)
                assert array.chunks == chunk, (array.name, array.chunks)
                assert array.fletcher32 and "32001" in array._filters, array._filters
                np.testing.assert_array_equal(array[...], formula(shape, dtype), err_msg=array.name)


def write_shard(path):
    with h5py.File(path, "w", libver=("v110", "v110")) as shard:
        for dtype in TYPES:
            for rank, (shape, chunk) in SHAPES.items():
                shard.create_dataset(f"/{dtype}/{rank}", data=formula(shape, dtype), chunks=chunk,
                                     fletcher32=rank % 2 == 0,
                                     **hdf5plugin.Blosc(cname="zstd", clevel=5,
                                                        shuffle=hdf5plugin.Blosc.BITSHUFFLE))


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([program, "write", name], check=True)
        for compressor in ("lz4", "zstd"):
            check_shard(folder / f"{compressor}.h5")
        tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
        assert set(tensors) == {"b.weight", "a.bias", "step", "empty"}, tensors.keys()
        np.testing.assert_array_equal(tensors["b.weight"], formula((3, 4, 5), "float32"))
        np.testing.assert_array_equal(tensors["a.bias"], formula((7,), "float64"))
        np.testing.assert_array_equal(tensors["step"], np.int64(42))
        assert tensors["empty"].shape == (0, 5)
        with safetensors.safe_open(folder / "weights.safetensors", "numpy") as file:
            assert file.metadata() == {"code": "abc"}, file.metadata()

        write_shard(folder / "peer.h5")
        safetensors.numpy.save_file({"b.weight": formula((3, 4, 5), "float32"),
                                     "a.bias": formula((7,), "float64"),
                                     "step": np.array(42, dtype=np.int64)},
                                    folder / "peer.safetensors", metadata={"code": "abc"})
        subprocess.run([program, "check", name], check=True)
    print("shards and safetensors: peers agree in both directions")


if __name__ == "__main__":
    main()
