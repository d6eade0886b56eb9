"""Time as tests make it pass."""

from collections.abc import Callable


class Days:
    """A clock that only sleeping moves; things happen at their time, in seconds."""

    def __init__(self, *events: tuple[float, Callable[[], object]]) -> None:
        self.time = 0.0
        self.events = list(events)

    def clock(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        while self.events and self.events[0][0] <= self.time:
            self.events.pop(0)[1]()
