"""One precision on every device."""

import contextlib

import torch
from torch.backends import cudnn


def full_precision(device: torch.device) -> contextlib.AbstractContextManager:
    """Convolutions in float32 on CUDA too, where cuDNN rounds to TF32 unless told: a spec means the same everywhere."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return cudnn.flags(cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False)
