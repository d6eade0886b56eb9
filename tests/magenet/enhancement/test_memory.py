import pytest

from magenet.enhancement.memory import (
    parsed_memory,
    require_memory,
    require_network_memory,
    resident,
)
from magenet.errors import UsageError, UserError
from magenet.models import MAGENet


@pytest.mark.parametrize("text", ["", "much", "1.5X", "-3G", "1..5G"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="amount of memory"):
        parsed_memory(text)


def test_a_photograph_that_would_not_fit_is_refused_before_it_is_read() -> None:
    with pytest.raises(UserError, match=r"30000x30000 px and needs 1\d\.\d GiB.*--max-memory"):
        require_memory(30000, 30000, 1, parsed_memory("1.5G"))


def test_a_network_that_would_not_fit_is_refused_with_what_it_needs() -> None:
    network = MAGENet(widths=(32, 8, 8, 8), blocks=(1, 1, 1, 1))
    require_network_memory(network, 512, resident() + 300 * 2**20)
    with pytest.raises(UserError, match=r"network at 512 px; give \d+M at least"):
        require_network_memory(network, 512, resident() + 100 * 2**20)
