"""A connection comes of age: clients go on over a new one, and nothing is lost or answered out of its place.

    connection_age_test.py RESNETD RESNETCTL
"""

import pathlib
import sys
import tempfile
import threading
import unittest

import grpc
import images
from client import Client, Error, Metrics, call_error, pb, wait_until
from running_server import RunningServer

AGE_SECONDS = 3
COUNT = 1000
BATCH = 50
PIXELS = images.fashion()[:COUNT]


def request(*which: int) -> pb.ClassifyRequest:
    return pb.ClassifyRequest(images=[images.u8(PIXELS[i]) for i in which])


def classes(result: pb.ClassifyResult) -> list[int]:
    return [c.index for c in result.classes]


def client_ports(server: RunningServer) -> set[str]:
    """The far ends of the server's connections (proc_net_tcp)."""
    local, established = f"0100007F:{server.port:04X}", "01"
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[2] for row in rows if row[1] == local and row[3] == established}


class Age(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def server(self, age: int) -> RunningServer:
        return self.enterContext(RunningServer(*sys.argv[1:3], self.folder, "--max-connection-age", str(age)))

    def expected(self, client: Client) -> list[list[int]]:
        answers = [client.call("Classify", request(*range(i, i + BATCH))) for i in range(0, COUNT, BATCH)]
        return [classes(result) for answer in answers for result in answer.results]

    def assert_retired(self, error: Error | None):
        self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "CONNECTION_AGE"))
        self.assertIn("--max-connection-age", error.message)

    def run_stream(self, client: Client, requests, answers: list[list[int]]) -> Error | None:
        """Appends what it is answered; its end, unless that is OK."""
        try:
            for answer in client.stub.ClassifyStream(requests, wait_for_ready=True):
                self.assertTrue(answer.HasField("response"), answer)
                answers.extend(map(classes, answer.response.results))
        except grpc.RpcError as error:
            return call_error(error)
        return None

    def test_a_busy_stream_goes_on_at_the_first_request_without_an_answer(self):
        """1,000 images again and again, until the connection has come of age twice."""
        server = self.server(AGE_SECONDS)
        with Client(server.address) as client:
            expected = self.expected(client)
            ends, answers, seen = [], [], set()

            def requests(first: int):
                for i in range(first, first + 1000 * COUNT):
                    yield request(i % COUNT)
                    if i == first + BATCH:  # the server has read some: it is connected
                        seen.update(client_ports(server))

            while len(ends) < 2 or len(answers) < COUNT:
                end = self.run_stream(client, requests(len(answers)), answers)
                if end is not None and end.code == "UNAVAILABLE" and not end.reason:
                    continue  # it was begun on a connection that was just being closed
                self.assert_retired(end)
                ends.append(end)
            self.assertGreater(len(answers), COUNT)
            for i, answer in enumerate(answers):
                self.assertEqual(answer, expected[i % COUNT], i)
            self.assertGreaterEqual(len(seen), 2, "a new connection each time")
            wait_until(lambda: len(client_ports(server)) <= 1, "the end of the old ones")
            page = Metrics(server.metrics_url)
            self.assertEqual(page.value("resnetd_requests_total", method="ClassifyStream", code="UNAVAILABLE"), len(ends))

    def test_an_idle_stream_ends(self):
        server = self.server(1)
        with Client(server.address) as client:
            over = threading.Event()

            def requests():
                yield request(0)
                over.wait()

            answers: list[list[int]] = []
            self.assert_retired(self.run_stream(client, requests(), answers))
            over.set()
            self.assertEqual(len(answers), 1)

    def test_unary_calls_and_the_tool_notice_nothing(self):
        server = self.server(1)
        pictures = self.folder / "pictures"
        pictures.mkdir()
        for i, picture in enumerate(PIXELS):
            (pictures / f"{i:04}.png").write_bytes(images.png(picture))
        with Client(server.address) as client:
            expected = self.expected(client)
            seen = client_ports(server)
            while len(seen) < 3:
                for i in range(BATCH):
                    answer = client.call("Classify", request(i))
                    self.assertNotIsInstance(answer, Error)
                    self.assertEqual(classes(answer.results[0]), expected[i])
                seen |= client_ports(server)
        run = server.ctl("--json", "classify", "-k", "1", str(pictures))
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout.count('"index"'), COUNT)

    def test_without_an_age_nothing_ends(self):
        server = self.server(0)
        with Client(server.address) as client:
            answers: list[list[int]] = []
            self.assertIsNone(self.run_stream(client, (request(i) for i in range(COUNT)), answers))
            self.assertEqual(answers, self.expected(client))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
