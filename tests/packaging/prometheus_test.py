"""A real Prometheus, configured by deploy/prometheus/prometheus.yml, scrapes the real server, and a latency quantile is
read back by query: it is the one that the server's own page gives, and the client's within one bucket.

    prometheus_test.py RESNETD RESNETCTL
"""

import bisect
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from running_server import RunningServer, free_ports

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import histogram_quantiles  # noqa: E402

CALLS = 200
METRIC = "resnetd_request_duration_seconds"
PATIENCE_SECONDS = 60
# Loopback is reached without any proxy that the environment may name.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def replace_once(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the configuration"
    return text.replace(old, new)


class Prometheus(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start_prometheus(self, metrics_port: int):
        """With the shipped configuration, but for the server's port and a faster scrape."""
        config = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
        config = replace_once(config, "localhost:8501", f"localhost:{metrics_port}")
        config = replace_once(config, "scrape_interval: 5s", "scrape_interval: 500ms")
        config = replace_once(config, "scrape_timeout: 4s", "scrape_timeout: 500ms")
        (self.folder / "prometheus.yml").write_text(config)
        (port,) = free_ports(1)
        self.api = f"http://127.0.0.1:{port}/api/v1/query"
        with open(self.folder / "prometheus.log", "w") as log:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.send_signal, signal.SIGTERM)

    def query(self, expression: str) -> float | None:
        """The single value of an expression, None as long as there is none."""
        try:
            with OPENER.open(f"{self.api}?{urllib.parse.urlencode({'query': expression})}", timeout=10) as answer:
                result = json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            return None
        return float(result[0]["value"][1]) if result else None

    def wait_for(self, expression: str, expected: float):
        give_up = time.monotonic() + PATIENCE_SECONDS
        while (value := self.query(expression)) != expected:
            if time.monotonic() > give_up:
                log = (self.folder / "prometheus.log").read_text()
                self.fail(f"{expression} is {value} after {PATIENCE_SECONDS} s, expected {expected}\n{log}")
            time.sleep(0.1)

    def test_a_quantile_read_back_is_true(self):
        subprocess.run(["promtool", "check", "config", ROOT / "deploy/prometheus/prometheus.yml"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([ROOT / "tools/fashion_mnist_png.py", "--out", self.folder / "images", "--per-class",
                        str(CALLS // 10)], check=True)
        with RunningServer(sys.argv[1], sys.argv[2], self.folder) as server:
            self.start_prometheus(server.metrics_port)
            run = server.ctl("--json", "classify", "--images-per-request", "1", "--requests-in-flight", "1",
                             str(self.folder / "images"))
            self.assertEqual(run.returncode, 0, run.stderr)
            totals = sorted(image["execution"]["total_seconds"] for image in json.loads(run.stdout))
            self.assertEqual(len(totals), CALLS)

            self.wait_for('up{job="resnetd"}', 1)
            self.wait_for(f'{METRIC}_count{{method="Classify"}}', CALLS)
            with OPENER.open(server.metrics_url, timeout=10) as page:
                buckets = histogram_quantiles.read_histogram(page.read().decode(), METRIC, "method")["Classify"]["buckets"]
            bounds = sorted(buckets)
            for q in (0.5, 0.99):
                value = self.query(f'histogram_quantile({q}, sum by (le) ({METRIC}_bucket{{method="Classify"}}))')
                self.assertAlmostEqual(value, histogram_quantiles.quantile(buckets, q), delta=1e-6, msg=f"q = {q}")
                own = totals[int(q * (CALLS - 1))]
                apart = abs(bisect.bisect_left(bounds, value) - bisect.bisect_left(bounds, own))
                self.assertLessEqual(apart, 1, f"q = {q}: {value} s by query, {own} s by the answers")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
