import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from offcanvas.meter import (
    Meter,
    Others,
    cpu_seconds,
    machine_seconds,
    memory_bytes,
    wait_until_quiet,
)

LITTLE = 0.01  # of a core: on a busy machine a window may see little of a process at work
BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
LONG_BURN = BURN.replace("0.3", "1.5")  # this process may be held up while it burns
PARENT = f"""
import subprocess, sys
for _ in range(2):
    subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
print("burnt", flush=True)
sys.stdin.read()
"""


@contextmanager
def child(code: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_cpu_of_children_that_have_ended_counts() -> None:
    with child(PARENT) as process:
        assert process.stdout is not None
        with Meter({"workers": (process.pid,), "servers": ()}) as meter:
            process.stdout.readline()
    used = meter.usage("workers").cpu_seconds
    assert used is not None
    assert used >= 0.55  # two children of 0.3 s each, by a clock of hundredths


def test_memory_of_a_tree_holds_its_children() -> None:
    big = "x = bytearray(60_000_000)\nx[::1024] = b'1' * len(x[::1024])\n"
    wait = "print('there', flush=True); import sys; sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {big + wait!r}])"
    with child(parent) as process:
        assert process.stdout is not None
        with Meter({"workers": (process.pid,)}) as meter:
            process.stdout.readline()
            assert memory_bytes([process.pid]) > 60_000_000
    peak = meter.usage("workers").peak_memory_bytes
    assert peak is not None
    assert peak > 0


def test_of_processes_that_are_not_ours_nothing_is_said() -> None:
    with Meter({"servers": ()}) as meter:
        pass
    usage = meter.usage("servers")
    assert (usage.cpu_seconds, usage.peak_memory_bytes) == (None, None)


def test_a_process_that_is_gone_uses_nothing() -> None:
    with child("") as process:
        process.wait()
    assert cpu_seconds([process.pid]) == 0.0
    assert memory_bytes([process.pid]) == 0


def test_quiet_comes_after_the_work() -> None:
    work = f"print('go', flush=True)\n{LONG_BURN}import sys; sys.stdin.read()"
    with child(work) as process:
        assert process.stdout is not None
        process.stdout.readline()
        after = wait_until_quiet([process.pid], share=LITTLE, window=0.5)
        assert after.cpu_seconds >= 0.1
        assert after.seconds > 0
        again = wait_until_quiet([process.pid], share=LITTLE, window=0.5)
        assert again.cpu_seconds < 0.1


def test_it_gives_up_on_what_never_rests() -> None:
    with child("print('go', flush=True)\nwhile True: pass") as process:
        assert process.stdout is not None
        process.stdout.readline()
        after = wait_until_quiet([process.pid], share=LITTLE, window=0.5, limit=0.6)
    assert after.seconds >= 0.6


def test_our_own_tree_is_seen() -> None:
    assert cpu_seconds([os.getpid()]) > 0


def test_what_we_do_ourselves_is_not_the_work_of_others() -> None:
    machine, others = machine_seconds(), Others._seconds()
    subprocess.run([sys.executable, "-c", LONG_BURN], check=True)
    ours = (machine_seconds() - machine) - (Others._seconds() - others)
    assert ours > 1.0  # of 1.5, the rest being the grain of the machine's clock


def test_the_work_of_others_is_told_in_cores() -> None:
    others = Others()
    others._before -= 5.0
    others._since -= 10.0
    assert others.cores() > 0.3
