"""What tests of one running server share: see ServerTest."""

import pathlib
import sys
import tempfile
import unittest

from client import Client, Error
from running_server import RunningServer


class ServerTest(unittest.TestCase):
    """Tests that share one server, the programs being the command line's two arguments."""

    OPTIONS: list[str] = []

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.prepare()
        cls.server = cls.enterClassContext(RunningServer(sys.argv[1], sys.argv[2], cls.folder, *cls.OPTIONS))
        cls.client = cls.enterClassContext(Client(cls.server.address))

    @classmethod
    def prepare(cls):
        """What must be in the folder before the server starts."""

    def ok(self, method: str, request):
        response = self.client.call(method, request)
        self.assertNotIsInstance(response, Error)
        return response
