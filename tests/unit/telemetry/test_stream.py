from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from syncd.telemetry.stream import Stream


@dataclass
class Pipe:
    reader: int
    writer: int

    def fill(self) -> int:
        """Write until nothing fits any more; return how much did."""
        os.set_blocking(self.writer, False)
        written = 0
        try:
            while True:
                written += os.write(self.writer, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writer, True)
        return written


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = Pipe(*os.pipe())
    yield ends
    os.close(ends.reader)
    os.close(ends.writer)


def test_a_full_pipe_refuses_lines_and_never_blocks(pipe: Pipe) -> None:
    stream = Stream(pipe.writer)
    pipe.fill()
    start = time.monotonic()

    for _ in range(1000):
        with pytest.raises(BlockingIOError):
            stream.write(b"line\n")

    assert time.monotonic() - start < 5


def test_lines_flow_again_as_soon_as_somebody_reads(pipe: Pipe) -> None:
    stream = Stream(pipe.writer)
    filled = pipe.fill()
    with pytest.raises(BlockingIOError):
        stream.write(b"lost\n")

    os.read(pipe.reader, filled)
    stream.write(b"kept\n")

    assert os.read(pipe.reader, 100) == b"kept\n"


def test_a_line_after_a_cut_one_begins_on_a_line_of_its_own(pipe: Pipe) -> None:
    stream = Stream(pipe.writer)
    with pytest.raises(BlockingIOError):
        stream.write(b"y" * 1_000_000 + b"\n")
    with pytest.raises(BlockingIOError):
        stream.write(b"lost\n")

    os.read(pipe.reader, 1_000_000)
    stream.write(b"whole\n")

    assert os.read(pipe.reader, 100) == b"\nwhole\n"


def test_a_full_disk_and_a_closed_pipe_raise_os_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)

    for descriptor in (writer, full):
        with pytest.raises(OSError, match=r"Broken pipe|No space left"):
            Stream(descriptor).write(b"line\n")
        os.close(descriptor)
