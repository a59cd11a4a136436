"""HTTP/2 frame by frame (RFC 9113), for what a client's library would not send."""

import contextlib
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
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
    """One connection. What the server sends is read and dropped by a thread of its own, unless `reads` is not set."""

    def __init__(self, address: str, source: str = "", reads: bool = True, settings: bytes = b"\x00\x04\x7f\xff\xff\xff"):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0) if source else None)
        self.next_stream = 1
        self.sent = 0
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
        self.reader = threading.Thread(target=self._drop, daemon=True)
        if reads:
            self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        if self.reader.ident:
            self.reader.join()
        self.socket.close()

    def stream(self) -> int:
        """The id of a new stream."""
        self.next_stream += 2
        return self.next_stream - 2

    def send(self, data: bytes):
        """OSError: the server has closed the connection, or does not read."""
        self.socket.sendall(data)
        self.sent += len(data)

    def _drop(self):
        with contextlib.suppress(OSError):
            while self.socket.recv(1 << 16):
                pass
