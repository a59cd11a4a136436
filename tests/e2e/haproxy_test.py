"""deploy/haproxy is valid, calls pass, and attacks do not reach the server. The test is skipped without HAProxy."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

import attack_test
import http2_raw as http2
from attack_test import PATH, Peak, Polite, image, resident_mb
from client import Client, Error, pb, wait_until
from running_server import free_ports
from server_case import ServerTest

CONFIG = pathlib.Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


class HaproxyTest(ServerTest):
    OPTIONS = ["--trusted-proxies", "127.0.0.1"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.address = f"127.0.0.1:{free_ports(1)[0]}"
        cls.environment = {**os.environ, "RESNETD_ADDRESS": cls.server.address, "RESNETD_PROXY_ADDRESS": cls.address}
        cls.log = cls.enterClassContext(open(cls.folder / "haproxy.log", "w"))
        command = [HAPROXY, "-db", "-f", str(CONFIG)]
        cls.proxy = subprocess.Popen(command, env=cls.environment, stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.stop)
        cls.client = cls.enterClassContext(Client(cls.address))

    @classmethod
    def stop(cls):
        cls.proxy.send_signal(signal.SIGTERM)
        cls.proxy.wait()

    def test_it_is_valid(self):
        checked = subprocess.run([HAPROXY, "-c", "-f", str(CONFIG)], env=self.environment, capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertNotIn("WARNING", checked.stderr)

    def test_calls_and_streams_pass(self):
        request = pb.ClassifyRequest(images=[image()])
        answer = self.client.call("Classify", request, wait_for_ready=True)
        self.assertNotIsInstance(answer, Error)
        answers = self.client.stub.ClassifyStream(request for _ in range(100))
        self.assertEqual(sum(1 for _ in answers), 100)
        error = self.client.call("Classify", pb.ClassifyRequest(images=[pb.Image(encoded=b"none")]))
        self.assertEqual((error.code, error.reason), ("INVALID_ARGUMENT", "BAD_IMAGE"))

    def attack(self, flood: bytes):
        pid = self.server.process.pid
        with Polite(self.address):
            pass
        idle = resident_mb(pid)
        with Polite(self.address) as polite, Peak(pid) as peak:
            attack_test.attack(self.address, flood, "127.0.0.2")
            wait_until(lambda: resident_mb(pid) <= idle + attack_test.AFTERWARDS_MB, "memory given back")
        self.assertLessEqual(peak.mb - idle, attack_test.PEAK_MB)
        share = polite.answers / (polite.answers + len(polite.errors))
        self.assertGreaterEqual(share, 0.9, polite.errors[:3])
        print(f"{self.id()}: peak +{peak.mb - idle:.0f} MB of {idle:.0f}, {polite.answers} answers, "
              f"{len(polite.errors)} errors")

    def test_headers_without_end(self):
        self.attack(attack_test.continuation(b"\x90"))

    def test_calls_that_are_reset(self):
        self.attack(attack_test.streams(attack_test.data_and_reset))

    def test_calls_that_wait(self):
        self.attack(attack_test.streams(lambda stream: b""))


if __name__ == "__main__":
    if HAPROXY is None:
        print("NO HAPROXY")
        sys.exit(0)
    unittest.main(argv=sys.argv[:1], verbosity=2)
