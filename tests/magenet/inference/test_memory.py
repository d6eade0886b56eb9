import pytest

from magenet.errors import UserError
from magenet.inference.memory import (
    SMALLEST_TILE,
    parsed_memory,
    require_memory,
    resident,
    tile_for,
)
from magenet.models import MAGENet


@pytest.mark.parametrize("text", ["", "much", "1.5X", "-3G", "1..5G"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount of memory"):
        parsed_memory(text)


def test_a_photograph_that_would_not_fit_is_refused_before_it_is_read() -> None:
    with pytest.raises(UserError, match=r"30000x30000 px and needs 1\d\.\d GiB.*--max-memory"):
        require_memory(30000, 30000, 1, parsed_memory("1.5G"))


def test_tiles_shrink_with_the_memory_and_then_refuse() -> None:
    network = MAGENet(widths=(32, 8, 8, 8), blocks=(1, 1, 1, 1))
    sides = [tile_for(network, resident() + extra * 2**20, 2048) for extra in (4000, 900, 200)]
    assert sides[0] == 2048
    assert 2048 > sides[1] > sides[2] >= SMALLEST_TILE
    with pytest.raises(UserError, match=r"give \d+M at least"):
        tile_for(network, resident(), 2048)
