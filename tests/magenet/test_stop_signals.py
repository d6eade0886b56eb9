import os
import signal

import pytest

from magenet.errors import StoppedError
from magenet.stop_signals import stoppable


def test_the_second_signal_stops_at_once() -> None:
    def twice() -> None:
        with stoppable() as received:
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [signal.SIGTERM]
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("the second does not stop")

    with pytest.raises(StoppedError) as stopped:
        twice()
    assert stopped.value.status == 143, "of the first"
