"""MONAI's sliding window over a case in the plan's spacing, with nnU-Net's network class and weights of a model folder.

    monai_side.py MODEL IMAGE OUT THREADS

Reads the file, normalises, infers (step 0.5, Gaussian weights, no mirroring), takes the largest logit, writes the mask.
"""
import json
import os
import sys


def main(folder, image, out, threads):
    import nibabel
    import numpy as np
    import torch
    from monai.inferers import SlidingWindowInferer
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    torch.set_num_threads(int(threads))
    with open(os.path.join(folder, "plans.json"), encoding="utf-8") as file:
        plan = json.load(file)["configurations"]["3d_fullres"]
    network = plan["architecture"]
    net = get_network_from_plans(network["network_class_name"], network["arch_kwargs"],
                                 network["_kw_requires_import"], 1, 3, allow_init=False, deep_supervision=False)
    weights = torch.load(os.path.join(folder, "fold_all", "checkpoint_final.pth"), weights_only=False)
    net.load_state_dict(weights["network_weights"])
    net.eval()
    source = nibabel.load(image)
    values = np.asarray(source.dataobj, dtype=np.float32).transpose(2, 1, 0)
    values = (values - values.mean()) / max(float(values.std()), 1e-8)
    tiles = []

    def counted(batch):
        tiles.append(batch.shape[0])
        return net(batch)
    inferer = SlidingWindowInferer(plan["patch_size"], sw_batch_size=1, overlap=0.5, mode="gaussian")
    with torch.no_grad():
        labels = inferer(torch.from_numpy(np.ascontiguousarray(values))[None, None], counted)[0].argmax(0)
    mask = labels.numpy().astype(np.uint8).transpose(2, 1, 0)
    nibabel.save(nibabel.Nifti1Image(mask, source.affine), out)
    print(json.dumps({"tiles": sum(tiles), "parameters": sum(p.numel() for p in net.parameters())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
