"""Every signal at every moment of a server's life: what it does, or that it does nothing.

    signals_test.py RESNETD RESNETCTL
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import images
from client import Client, OpenStream, http_get, pb, wait_until
from running_server import RunningServer

EXIT_SECONDS = 60
# A load is left within this time; it would go on for minutes.
LEAVE_SECONDS = 10
LONG_MS = "86400000"
STOP = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
NOTED = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
IGNORED = [signal.SIGPIPE, signal.SIGXFSZ, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
           signal.SIGPWR, signal.SIGSTKFLT, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT,
           signal.SIGRTMIN, signal.SIGRTMIN + 3, signal.SIGRTMAX]
REQUEST = pb.ClassifyRequest(images=[images.u8(images.fashion()[0])])
SIZES = ",".join(map(str, range(8, 257, 8)))


def ignored_by_the_parent():
    for one in (*STOP, *NOTED):
        signal.signal(one, signal.SIG_IGN)


def blocked_by_the_parent():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def both_by_the_parent():
    ignored_by_the_parent()
    blocked_by_the_parent()


class Signals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.large = images.make_resnet(cls.models / "large.onnx", "--arch", "resnet101", "--size", "64")

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, *options: str, **how) -> RunningServer:
        return self.enterContext(RunningServer(*sys.argv[1:3], self.folder, *options, **how))

    def load(self, *options: str, **how) -> RunningServer:
        """A server in the midst of loading a model for which that takes minutes."""
        server = self.start("--model", str(self.large), "--batch-sizes", SIZES, *options, wait=False, **how)
        wait_until(lambda: http_get(f"{server.http_url}/readyz") == (503, "models are loading\n"), "loading")
        wait_until(lambda: cpu_seconds(server) > 1, "in the midst")
        return server

    def assert_serves(self, server: RunningServer):
        with Client(server.address) as client:
            self.assertEqual(len(client.call("Classify", REQUEST).results), 1)
        self.assertEqual(http_get(f"{server.http_url}/readyz"), (200, "ok\n"))

    def assert_ends(self, server: RunningServer, seconds: float = EXIT_SECONDS):
        self.assertEqual(server.process.wait(timeout=seconds), 0, server.log.read_text())
        self.assertIn(" I stopped", server.log.read_text().splitlines()[-1])

    def wait_for_log(self, server: RunningServer, text: str, count: int = 1):
        wait_until(lambda: server.log.read_text().count(text) >= count, text)

    def test_each_that_stops(self):
        for one in STOP:
            with self.subTest(one.name):
                server = self.start()
                server.process.send_signal(one)
                self.assert_ends(server)
                self.assertIn("refusing new calls", server.log.read_text())

    def test_those_that_do_nothing_do_it_at_any_moment(self):
        """Before and while calls are served, while it loads, in the lame-duck time; and SIGTERM is obeyed afterwards."""
        server = self.start(lame_duck_ms=LONG_MS)
        for one in (*NOTED, *IGNORED):
            with self.subTest(one):
                server.process.send_signal(one)
        for one in NOTED:
            self.wait_for_log(server, f" {one.name}: nothing to do")
        self.assert_serves(server)
        server.process.send_signal(signal.SIGTERM)
        self.wait_for_log(server, "asked to stop")
        for one in (*NOTED, *IGNORED):
            server.process.send_signal(one)
        for one in NOTED:
            self.wait_for_log(server, f" {one.name}: nothing to do", 2)
        self.assertIsNone(server.process.poll())
        self.assertNotIn("refusing new calls", server.log.read_text())
        server.process.send_signal(signal.SIGTERM)
        self.assert_ends(server)

    def test_a_second_ends_the_lame_duck_time(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT),
                              (signal.SIGINT, signal.SIGTERM), (signal.SIGTERM, signal.SIGQUIT)):
            with self.subTest(first=first.name, second=second.name):
                server = self.start(lame_duck_ms=LONG_MS)
                server.process.send_signal(first)
                self.wait_for_log(server, "asked to stop")
                with Client(server.address) as client:  # as before
                    self.assertEqual(len(client.call("Classify", REQUEST).results), 1)
                server.process.send_signal(second)
                self.assert_ends(server)

    def test_a_second_ends_the_wait_for_calls_in_flight(self):
        """Whether it comes in the lame-duck time or afterwards."""
        for lame_duck_ms, until in ((LONG_MS, "asked to stop"), ("0", "refusing new calls, 1 in flight")):
            with self.subTest(lame_duck_ms=lame_duck_ms):
                server = self.start("--drain-ms", LONG_MS, lame_duck_ms=lame_duck_ms)
                with Client(server.address) as client:
                    stream = OpenStream(client, REQUEST)
                    self.assertTrue(stream.call().HasField("response"))
                    server.process.send_signal(signal.SIGTERM)
                    self.wait_for_log(server, until)
                    self.assertIsNone(server.process.poll())
                    server.process.send_signal(signal.SIGINT)
                    self.assert_ends(server)
                    stream.end()
                self.assertIn("cancelling 1 calls", server.log.read_text())

    def test_a_load_is_not_waited_for(self):
        for one in STOP:
            with self.subTest(one.name):
                server = self.load(lame_duck_ms=LONG_MS)
                for other in (*NOTED, *IGNORED):
                    server.process.send_signal(other)
                self.wait_for_log(server, " SIGUSR2: nothing to do")
                self.assertIsNone(server.process.poll())
                asked = time.monotonic()
                server.process.send_signal(one)
                self.assert_ends(server, LEAVE_SECONDS)
                print(f"{one.name} while loading: ended after {time.monotonic() - asked:.3f} s")
                log = server.log.read_text()
                self.assertIn("asked to stop while models are loading", log)
                self.assertNotIn("model large version", log)

    def test_at_the_first_moment(self):
        """A signal that comes before anybody waits for one is obeyed as soon as somebody does."""
        for _ in range(3):
            server = self.start("--threads", "2", wait=False)  # which starts itself once more
            # Not in the dynamic linker's work, in which SIGTERM kills as it does anybody.
            wait_until(lambda: blocks(server, signal.SIGTERM), "blocked")
            server.process.send_signal(signal.SIGTERM)
            self.assert_ends(server)

    def test_while_libraries_are_initialised(self):
        """Which comes before main(), in the second start too."""
        source, library = self.folder / "raise.c", self.folder / "raise.so"
        # To the process, not to the thread as raise() does.
        source.write_text("#include <signal.h>\n#include <unistd.h>\n"
                          "__attribute__((constructor)) static void Initialise(void) { kill(getpid(), SIGTERM); }\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        env = os.environ | {"LD_PRELOAD": str(library), "ASAN_OPTIONS": asan}
        for options in ((), ("--threads", "2")):
            with self.subTest(options=options):
                self.assert_ends(self.start(*options, wait=False, env=env))

    def test_whatever_the_parent_has_left(self):
        for parent, options, one in (
            (ignored_by_the_parent, (), signal.SIGTERM),
            (blocked_by_the_parent, (), signal.SIGTERM),
            (both_by_the_parent, (), signal.SIGINT),
            (both_by_the_parent, (), signal.SIGQUIT),
            (both_by_the_parent, ("--threads", "2"), signal.SIGTERM),
        ):
            with self.subTest(parent=parent.__name__, options=options, signal=one.name):
                server = self.start(*options, preexec_fn=parent)
                for other in (*NOTED, signal.SIGALRM):
                    server.process.send_signal(other)
                self.assert_serves(server)
                server.process.send_signal(one)
                self.assert_ends(server)

    def test_a_log_that_nobody_reads(self):
        read, write = os.pipe()
        server = self.start("--log-level", "debug", log=write)
        os.close(read)
        os.close(write)
        for one in NOTED * 10:
            server.process.send_signal(one)
        self.assert_serves(server)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(timeout=EXIT_SECONDS), 0)


def cpu_seconds(server: RunningServer) -> float:
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def blocks(server: RunningServer, one: signal.Signals) -> bool:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(mask, 16) >> (one - 1) & 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
