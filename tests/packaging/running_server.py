"""Starts the real server for a test, on free ports, and stops it."""

import contextlib
import pathlib
import signal
import socket
import subprocess
import time

START_SECONDS = 60


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago: all are held at once, so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


class RunningServer:
    """A context: the server is SERVING inside, and must end with status 0 on SIGTERM at the end.

    `options` are resnetd's, beside the ports. `address`: a unix socket's, in place of the port. With `wait` unset it has
    been started inside, and that is all. `log`: a descriptor in place of the file. `process` goes to Popen.
    """

    def __init__(self, resnetd: str, resnetctl: str, folder: pathlib.Path, *options: str, lame_duck_ms: int = 0,
                 address: str | None = None, wait: bool = True, log: int | None = None, **process):
        self.resnetctl = resnetctl
        self.wait = wait
        self.log_descriptor, self.popen_options = log, process
        self.port, self.metrics_port = free_ports(2)
        self.address = address or f"127.0.0.1:{self.port}"
        self.http_url = f"http://127.0.0.1:{self.metrics_port}"
        self.metrics_url = f"{self.http_url}/metrics"
        self.log = folder / "resnetd.log"
        self.command = [resnetd, "--port", str(self.port), "--metrics-port", str(self.metrics_port),
                        "--lame-duck-ms", str(lame_duck_ms), *options]
        if address:
            self.command += ["--address", address]

    def __enter__(self):
        with open(self.log, "w") as file:
            log = file if self.log_descriptor is None else self.log_descriptor
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, **self.popen_options)
        try:
            if self.wait:
                self.wait_for_health()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def wait_for_health(self):
        give_up = time.monotonic() + START_SECONDS
        while (health := self.ctl("health", "--wait", "1")).returncode != 0:
            # A server that has ended is not waited for; its log says why.
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"resnetd did not serve: {health.stderr}{self.log.read_text()}")

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        if kind is None and status != 0:
            raise RuntimeError(f"resnetd ended with status {status}: {self.log.read_text()}")

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess:
        command = [self.resnetctl, "--server", self.address, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * START_SECONDS)
