"""HTTP/2 frame by frame (RFC 9113), for what a client's library would not send."""

import collections
import contextlib
import socket
import struct
import threading

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 8, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL = 8
MAX_FRAME_BYTES, INITIAL_WINDOW = 16384, 65535


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
    """One connection, from an address of this machine. A thread reads what the server sends: see room."""

    def __init__(self, address: str, source: str = "127.0.0.1"):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))
        self.changed = threading.Condition()
        self.room = collections.defaultdict(lambda: INITIAL_WINDOW)  # bytes that may be sent, by stream; 0: of all
        self.over = False
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

    def send_data(self, stream: int, data: bytes):
        """As fast as flow control allows. OSError: likewise, or there is no room for half a minute."""
        for begin in range(0, len(data), MAX_FRAME_BYTES):
            part = data[begin : begin + MAX_FRAME_BYTES]
            with self.changed:
                fits = self.changed.wait_for(
                    lambda size=len(part): self.over or min(self.room[0], self.room[stream]) >= size, timeout=30
                )
                if self.over or not fits:
                    raise ConnectionError("the connection is over" if self.over else "no room")
                for window in (0, stream):
                    self.room[window] -= len(part)
            self.send(frame(DATA, 0, stream, part))

    def _read(self):
        with contextlib.suppress(OSError, EOFError), self.socket.makefile("rb") as file:
            while head := file.read(9):
                payload = file.read(int.from_bytes(head[:3], "big"))
                if head[3] == WINDOW_UPDATE:
                    with self.changed:
                        self.room[int.from_bytes(head[5:], "big")] += int.from_bytes(payload, "big")
                        self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()
