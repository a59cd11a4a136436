"""HTTP/2 frame by frame (RFC 9113), for what a client's library would not send."""

import contextlib
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, CONTINUATION = 0, 1, 3, 4, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL = 8
MAX_FRAME_BYTES = 16384


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


def hpack_int(value: int, prefix_bits: int, first: int = 0) -> bytes:
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out = [first | most]
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def header(name: bytes, value: bytes, indexed: bool = False) -> bytes:
    """A literal field; `indexed`: the other side's table remembers it."""
    return b"".join(
        [b"\x40" if indexed else b"\x00", hpack_int(len(name), 7), name, hpack_int(len(value), 7), value],
    )


def call_headers(path: str, *more: bytes) -> bytes:
    """The header block that begins a gRPC call."""
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    return b"".join([*(header(*field) for field in fields), *more])


def grpc_message(payload: bytes, claimed: int | None = None) -> bytes:
    """With its prefix; `claimed`: the size that it announces, if not its own."""
    return struct.pack(">BI", 0, len(payload) if claimed is None else claimed) + payload


class Connection:
    """One connection, from an address of this machine. What the server sends is read and dropped."""

    def __init__(self, address: str, source: str = "127.0.0.1"):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))
        self.send(PREFACE + frame(SETTINGS, 0, 0))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.reader.join()
        self.socket.close()

    def send(self, data: bytes):
        """OSError: the server has closed the connection, or does not read."""
        self.socket.sendall(data)

    def await_end(self, seconds: float = 10):
        """Until the server closes it, or that time is over."""
        self.reader.join(seconds)

    def _read(self):
        with contextlib.suppress(OSError):
            while self.socket.recv(1 << 16):
                pass
