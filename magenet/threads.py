"""Threads of PyTorch's operations in a process that has threads of its own."""

from __future__ import annotations

import threading

import torch

LOCK = threading.Lock()
"""Held while the number is changed: two threads that start together would set back each other's."""


def use_one_thread() -> None:
    """Let operations of the calling thread use one thread, and those of others as many as before.

    Each thread that calls PyTorch has a team of threads of its own, on a CPU by OpenMP. If all
    teams together are more than the cores, they no longer wait for the next operation but sleep,
    and a network has thousands: a photograph took a quarter longer for a thread that had read
    another one. So the thread beside the one that computes gets no team for PyTorch's own
    operations. It must call this before its first.
    """
    with LOCK:
        threads = torch.get_num_threads()  # also gives the calling thread its number, once for all
        torch.set_num_threads(1)
        # Also the number for MKL and for threads to come: set back by a thread without a team.
        others = threading.Thread(target=torch.set_num_threads, args=(threads,))
        others.start()
        others.join()
