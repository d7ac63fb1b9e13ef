"""Writes outputs.safetensors with torchvision's Swin transformer: python3 make.py (torch 1.13, torchvision 0.14.1)."""
import json
import struct

import numpy
import torch
from torchvision.ops import StochasticDepth
from torchvision.models.swin_transformer import SwinTransformer

KEPT = 64  # values of one gradient
CASES = {
    "even": dict(embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4], image=32),
    "padded": dict(embed_dim=4, depths=[2, 2, 2, 1], num_heads=[1, 2, 4, 8], window_size=[3, 3], image=40),
}


def uniform(name, count):
    """Numbers in [-0.5, 0.5) that follow from a name; the README has the formula."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & (2**64 - 1)
    z = numpy.uint64(seed) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> numpy.uint64(31))) >> numpy.uint64(40)).astype(numpy.float64) / 2.0**24 - 0.5


def values(name, shape):
    u = uniform(name, int(numpy.prod(shape)))
    if name.endswith((".images", ".cotangent")):
        u = u * 4
    elif name.endswith("_bias_table"):
        u = u * 2
    elif len(shape) == 1:
        u = 1 + u * 0.4 if name.endswith("weight") else u
    else:
        u = u * numpy.sqrt(12.0 / numpy.prod(shape[1:]))
    return torch.from_numpy(u.astype(numpy.float32).astype(numpy.float64)).reshape(shape)


def digest(name, gradient):
    """Every k-th value, at most KEPT, and the scalar product with the numbers of a name."""
    flat = gradient.flatten().numpy()
    step = -(-len(flat) // KEPT)
    return numpy.append(flat[::step], numpy.dot(flat, uniform(name + ".check", len(flat))))


def run(case, model, side, tensors, key):
    images = values(f"{case}.images", (2, 3, side, side)).requires_grad_(True)
    model.zero_grad()
    features = model(images)
    features.backward(values(f"{case}.cotangent", (2, 6)))
    digests = [digest(f"{case}.{name}", weight.grad) for name, weight in model.named_parameters()]
    digests.append(digest(f"{case}.images", images.grad))
    tensors[f"{key}.features"] = features.detach().numpy().astype("<f4")
    tensors[f"{key}.gradients"] = numpy.concatenate(digests).astype("<f4")


def record_factors(model):
    """What torchvision multiplies each residual branch by, [branches, 2], kept while the hooks stay; and the rates, [branches]."""
    factors, rates = [], []

    def hook(module, inputs, output):
        branch, kept = inputs[0].detach().flatten(1), output.detach().flatten(1)
        factors.append((branch * kept).sum(1) / (branch * branch).sum(1))
        rates.append(module.p)

    for module in model.modules():
        if isinstance(module, StochasticDepth):
            # One module serves both branches of a block.
            module.register_forward_hook(hook)
    return factors, rates


def main():
    tensors = {}
    for case, sizes in CASES.items():
        side = sizes.pop("image")
        model = SwinTransformer(patch_size=[4, 4], stochastic_depth_prob=0.2, num_classes=6, **sizes)
        model.head = torch.nn.Linear(model.head.in_features, 6, bias=False)
        model = model.double().eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(values(f"{case}.{name}", weight.shape))
        run(case, model, side, tensors, case)
        factors, rates = record_factors(model)
        torch.manual_seed(6)
        run(case, model.train(), side, tensors, f"{case}.dropped")
        tensors[f"{case}.dropped.factors"] = torch.stack(factors).numpy().astype("<f4")
        tensors[f"{case}.dropped.rates"] = numpy.array(rates, dtype="<f4")
    header, start = {}, 0
    for name, tensor in tensors.items():
        header[name] = dict(dtype="F32", shape=list(tensor.shape), data_offsets=[start, start + tensor.nbytes])
        start += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open("outputs.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.tobytes())


main()
