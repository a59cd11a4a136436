"""Images and models to test with."""

import functools
import io
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np
from PIL import Image as Picture
from resnetd.v1 import inference_pb2 as pb

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import fashion_mnist_png  # noqa: E402

MODEL = ROOT / "models/fashion-resnet20/1"
LABELS = (MODEL / "labels.txt").read_text().splitlines()
MEAN, STD = np.float32(fashion_mnist_png.MEAN), np.float32(fashion_mnist_png.STD)
SIDE = 28


@functools.cache
def fashion() -> np.ndarray:
    """The 10,000 test images, uint8 [N, 28, 28]."""
    dims, content = fashion_mnist_png.read_idx(fashion_mnist_png.DATA / "t10k-images-idx3-ubyte.gz")
    return np.frombuffer(content, np.uint8).reshape(dims)


@functools.cache
def fashion_labels() -> np.ndarray:
    """Their classes, uint8 [N]."""
    return np.frombuffer(fashion_mnist_png.read_idx(fashion_mnist_png.DATA / "t10k-labels-idx1-ubyte.gz")[1], np.uint8)


def png(pixels: np.ndarray) -> bytes:
    height, width = pixels.shape
    return fashion_mnist_png.grey_png(width, height, pixels.tobytes())


def rgb_png(pixels: np.ndarray) -> bytes:
    """Of [H, W, 3]."""
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def jpeg(pixels: np.ndarray, **how) -> bytes:
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, "JPEG", **({"quality": 90} | how))
    return file.getvalue()


def decoded(file: bytes) -> np.ndarray:
    return np.asarray(Picture.open(io.BytesIO(file)))


def encoded(file: bytes) -> pb.Image:
    return pb.Image(encoded=file)


def u8(pixels: np.ndarray) -> pb.Image:
    """A tensor of pixels, [H, W] or [H, W, C]."""
    shape = pixels.shape if pixels.ndim == 3 else (*pixels.shape, 1)
    return pb.Image(tensor=pb.Tensor(type=pb.Tensor.UINT8, shape=shape, data=pixels.tobytes()))


def f32(values: np.ndarray) -> pb.Image:
    """A tensor of the network's input, [C, H, W]."""
    return pb.Image(tensor=pb.Tensor(type=pb.Tensor.FLOAT32, shape=values.shape, data=values.astype("<f4").tobytes()))


def f16(values: np.ndarray) -> pb.Image:
    with np.errstate(over="ignore"):
        data = values.astype("<f2").tobytes()
    return pb.Image(tensor=pb.Tensor(type=pb.Tensor.FLOAT16, shape=values.shape, data=data))


def in_other_layout(image: pb.Image) -> pb.Image:
    """The same tensor with its channels last in place of first, or the other way round."""
    tensor = image.tensor
    dtype = {pb.Tensor.UINT8: "u1", pb.Tensor.FLOAT16: "<f2", pb.Tensor.FLOAT32: "<f4"}[tensor.type]
    pixels_last = tensor.type != pb.Tensor.UINT8
    values = np.moveaxis(np.frombuffer(tensor.data, dtype).reshape(tensor.shape), *((0, -1) if pixels_last else (-1, 0)))
    layout = pb.Tensor.NHWC if pixels_last else pb.Tensor.NCHW
    return pb.Image(tensor=pb.Tensor(type=tensor.type, shape=values.shape, data=values.tobytes(), layout=layout))


def normalised(pixels: np.ndarray) -> np.ndarray:
    """As the default model's config says: [H, W] in uint8 to [1, H, W]."""
    return ((pixels.astype(np.float32) / 255 - MEAN) / STD)[None]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def declare_size(file: bytes, width: int, height: int) -> bytes:
    """The same JPEG (baseline) or PNG file whose header says another size."""
    if file.startswith(b"\x89PNG"):
        return file[:8] + png_chunk(b"IHDR", struct.pack(">II", width, height) + file[24:29]) + file[33:]
    frame = file.index(b"\xff\xc0") + 5  # after the marker, the length and the precision
    return file[:frame] + struct.pack(">HH", height, width) + file[frame + 4 :]


def make_resnet(path: pathlib.Path, *options: str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, ROOT / "tools/make_resnet.py", "--out", path, *options], check=True)
    return path
