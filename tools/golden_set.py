"""Writes golden.textproto: images with the answers they must give (resnetd.v1.GoldenSet, proto/resnetd/v1/model_config.proto)."""

import dataclasses
from collections.abc import Sequence

TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Golden:
    name: str
    image: bytes  # a JPEG, PNG or WebP file
    logits: Sequence[float]
    embedding: Sequence[float] = ()
    label: int | None = None


def escape(data: bytes) -> str:
    """As a string of protobuf's text format."""
    plain = lambda b: 32 <= b < 127 and b not in b"\"\\'"
    return "".join(chr(b) if plain(b) else f"\\{b:03o}" for b in data)


def numbers(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{v:.7g}' for v in values)}]"


def textproto(goldens: Sequence[Golden], origin: str) -> str:
    """`origin` says where the answers come from: "tools/export.py with PyTorch 2.15.0"."""
    lines = [f"# Written by {origin}.", f"tolerance: {TOLERANCE}"]
    for golden in goldens:
        lines += ["golden {", f'  name: "{escape(golden.name.encode())}"', f'  image: "{escape(golden.image)}"']
        lines += [f"  logits: {numbers(golden.logits)}"] if len(golden.logits) else []
        lines += [f"  embedding: {numbers(golden.embedding)}"] if len(golden.embedding) else []
        lines += [f"  label: {golden.label}"] if golden.label is not None else []
        lines += ["}"]
    return "\n".join(lines) + "\n"
