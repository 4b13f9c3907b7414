"""The process that others are forked from: its imports are done, and it does nothing else.

It has one thread and touches no device, so a fork of it is as good as a fresh process and costs
milliseconds. It is asked over its standard input, which is a socket: `fork` with one end of another
socket, which the fork speaks through, or `kill PID`. It ends when its asker does, and its forks end
with it.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable

from llmsynth_serving.processes.parent import die_with_parent

Body = Callable[[socket.socket], None]


def serve(body: Body) -> int:
    """Fork until standard input ends; each fork runs `body` with its socket, then ends."""
    # Not ended by a signal when its asker dies: that comes when the asking thread ends, too.
    control = socket.socket(fileno=os.dup(0))
    gc.collect()
    gc.freeze()  # the forks share what is there by now, as long as nobody moves it
    children: set[int] = set()
    control.sendall(b"ready\n")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        _reap(children)
        if not message:
            return 0
        word, _, number = message.decode().strip().partition(" ")
        if word == "kill":
            # Only its own: a number that it has given back may be another process's by now.
            if int(number) in children:
                os.kill(int(number), signal.SIGKILL)
            control.sendall(b"killed\n")
            continue
        server = os.getpid()
        pid = os.fork()
        if not pid:
            _run(body, control, descriptors[0], server)
        os.close(descriptors[0])
        children.add(pid)
        control.sendall(f"{pid}\n".encode())


def _run(body: Body, control: socket.socket, descriptor: int, server: int) -> None:
    status = 1
    try:
        die_with_parent()
        if os.getppid() != server:  # it died before it could be watched
            return
        control.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # the last copy of the server's own socket that this process has
        body(socket.socket(fileno=descriptor))
        status = 0
    except BaseException:  # noqa: BLE001 nothing above may go on in a fork
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(children: set[int]) -> None:
    while children:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
