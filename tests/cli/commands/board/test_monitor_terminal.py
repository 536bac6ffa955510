"""``imgtool monitor`` on a pseudo terminal as the port, with a person at another one."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests import boot_logs as logs
from tests.support import PATIENCE, Command, comes_true
from tests.terminal import terminal

fcntl = pytest.importorskip("fcntl")
termios = pytest.importorskip("termios")
tty = pytest.importorskip("tty")

TIMED = ("--seconds", "2")
ESCAPES = b"\x1b[31mred\x1b[0m \xff\x07\r\n"


class Fake:
    """A board on a pseudo terminal: boots, then answers each line."""

    def __init__(self, *, boots: bytes = logs.BANNER.encode() + ESCAPES + b"> ") -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.name = os.ttyname(self.slave)
        self.heard = b""
        self._boots = boots
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Boot again and again until somebody listens and answers."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if ready:
                data = os.read(self.master, 1000)
                self.heard += data
                os.write(self.master, data + (b"ok\r\n> " if data.endswith(b"\n") else b""))

    def boots(self) -> None:
        os.write(self.master, self._boots)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def fake() -> Iterator[Fake]:
    board = Fake()
    board.start()
    yield board
    board.close()


class Person:
    """A monitor on a terminal of 80 columns, and hands on its keys."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.settings = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            [sys.executable, "-m", "imgtool", "monitor", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "NO_COLOR": "1", "TERM": "xterm"},
        )
        self._raw = b""

    def sees(self, text: str) -> None:
        assert comes_true(lambda: text in self.screen()), self.screen()

    def screen(self) -> str:
        while select.select([self._master], [], [], 0)[0]:
            self._raw += os.read(self._master, 10_000)
        return "\n".join(terminal(self._raw.decode().replace("\r\n", "\n")))

    def types(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._slave)
        os.close(self._master)

    def ends(self) -> int:
        code = self.process.wait(PATIENCE)
        self.screen_so_far = self.screen()
        assert termios.tcgetattr(self._slave)[3] == self.settings[3]
        return code


def test_a_person_at_the_keys(fake: Fake, folder: Path) -> None:
    with Person("-p", fake.name, "--log", "l.bin") as person:
        person.sees("reset it by hand")
        fake.boots()
        person.sees("\\x1b[31mred\\x1b[0m \\xff\\x07\n>")
        person.sees("external reset; boot from flash")
        person.types("prinx\x7ft(1)")
        person.sees("> print(1)")
        assert fake.heard == b""
        person.types("\r")
        person.sees("> print(1)\nok\n>")
        assert fake.heard == b"print(1)\r\n"
        person.types("\x14h")
        person.sees("Ctrl-T r       resets the chip")
        person.types("\x14r")
        person.sees("-- imgtool: reset\n")
        person.types("\x14b")
        person.sees("115200 baud from here on")
        person.types("\x14c")
        assert comes_true(lambda: fake.heard.endswith(b"\x03"))
        person.types("\x1d")

        assert person.ends() == 0
        expected = logs.BANNER.encode() + ESCAPES + b"> print(1)\r\nok\r\n> \x03"
        assert (folder / "l.bin").read_bytes() == expected


def test_every_key_at_once_and_an_interrupt(fake: Fake) -> None:
    with Person("-p", fake.name, "--keys", "--eol", "lf", "--until", "never") as person:
        person.sees("reset it by hand")
        person.types("=\x1b[A\n")
        assert comes_true(lambda: fake.heard == b"=\x1b[A\n")
        person.types("\x03")

        assert person.ends() == 130
        assert "Ctrl-] ends a monitor with exit code 0" in person.screen_so_far


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_leaves_the_terminal_as_it_was(fake: Fake, number: signal.Signals) -> None:
    # nohup, under which a long run of tests may go on, has SIGHUP ignored, and that is inherited.
    ours = signal.signal(number, signal.SIG_DFL)
    try:
        with Person("-p", fake.name, "--no-reset") as person:
            signal.signal(number, ours)
            person.sees("Ctrl-] ends")
            person.process.send_signal(number)

            assert person.ends() == -number
    finally:
        signal.signal(number, ours)


def test_lines_of_a_pipe_are_sent_one_after_the_answer_to_the_other(fake: Fake) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imgtool", "monitor", "-p", fake.name, "--until-eof", "--echo", "--eol", "lf"],
        input=b"one\r\ntwo\nthree",
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert fake.heard == b"one\ntwo\nthree\n"
    assert done.stdout.decode().splitlines()[-6:] == ["> two", "ok", "three", "> three", "ok", "> "]


def test_a_cable_that_is_pulled(tmp_path: Path) -> None:
    first, second = Fake(), Fake()
    link = tmp_path / "port"
    link.symlink_to(first.name)
    first.start()
    second.start()
    with Person("-p", str(link)) as person:
        person.sees("reset it by hand")
        link.unlink()
        first.close()
        person.sees("the port is lost; waiting for it to come back")
        link.symlink_to(second.name)
        person.sees("the port is back")
        second.boots()
        person.sees("external reset; boot from flash")
        person.types("\x1d")

        assert person.ends() == 0
        second.close()


def test_a_port_that_another_program_holds(fake: Fake, imgtool: Command) -> None:
    with open(fake.name, "rb", buffering=0) as other:  # noqa: PTH123 - the lock of another program
        fcntl.flock(other, fcntl.LOCK_EX)
        run = imgtool("monitor", "-p", fake.name, *TIMED)

    assert run.code == 5
    assert "in use" in run.err
