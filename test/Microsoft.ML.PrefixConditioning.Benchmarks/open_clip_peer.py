"""Trains open_clip's model on request, one step a line, for the comparison of the C# program that starts it.

Arguments: the folder of an open_clip checkout, the number of threads. Reads one JSON object a line and answers with one.
"""
import json
import sys
import time
import types

sys.path.insert(0, sys.argv[1] + "/src")
# Modules that open_clip imports and that a training step does not use; real ones are taken where they are installed.
for name, members in {"ftfy": {"fix_text": str}, "tqdm": {"tqdm": iter}}.items():
    try:
        __import__(name)
    except ImportError:
        sys.modules[name] = types.SimpleNamespace(**members)

import torch  # noqa: E402

torch.set_num_threads(int(sys.argv[2]))

from open_clip.loss import ClipLoss  # noqa: E402
from open_clip.model import CLIP  # noqa: E402


def build(request):
    torch.manual_seed(0)
    state = {"model": CLIP(request["embed_dim"], request["vision_cfg"], request["text_cfg"])}
    model = state["model"].train()
    state["tokens"] = torch.tensor(request["tokens"])
    size = request["vision_cfg"]["image_size"]
    state["images"] = torch.randn(len(request["tokens"]), 3, size, size)
    state["loss"] = ClipLoss()
    plain = lambda name, weight: weight.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))
    named = list(model.named_parameters())
    state["optimizer"] = torch.optim.AdamW(
        [
            {"params": [w for n, w in named if plain(n, w)], "weight_decay": 0.0},
            {"params": [w for n, w in named if not plain(n, w)], "weight_decay": 0.2},
        ],
        lr=request["learning_rate"], betas=(0.9, 0.98), eps=1e-6,
    )
    return state


def step(state):
    start = time.perf_counter()
    state["optimizer"].zero_grad()
    images, texts, scale = state["model"](state["images"], state["tokens"])
    loss = state["loss"](images, texts, scale)
    loss.backward()
    state["optimizer"].step()
    with torch.no_grad():
        state["model"].logit_scale.clamp_(0, 4.605170185988092)
    return {"seconds": time.perf_counter() - start, "loss": loss.item()}


def main():
    state = {}
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "build":
            state.clear()
            state.update(build(request))
            answer = {"parameters": sum(p.numel() for p in state["model"].parameters())}
        else:
            answer = step(state)
        print(json.dumps(answer), flush=True)


main()
