"""What programs get from the service, as its contract has it."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest_server import AS_WRITER, READ, WRITE, Open, encoded, files, fill, photograph, pixels
from starlette.testclient import TestClient

from repr.lookup.index import Index
from repr.server.settings import Limits
