import pytest

from data_modules.files.memory_estimate import Header, parsed_memory, require_memory
from magenet.errors import UsageError, UserError


@pytest.mark.parametrize("text", ["", "much", "1.5X", "-3G", "1..5G"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="amount of memory"):
        parsed_memory(text)


@pytest.mark.parametrize("text", ["0", "1", "1023K"])
def test_a_unit_that_was_forgotten_is_told(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}' is less than 1 MiB"):
        parsed_memory(text)


def test_a_photograph_that_would_not_fit_is_refused_before_it_is_read() -> None:
    with pytest.raises(UserError, match=r"30000x30000 px and needs \d\.\d\d GiB.*max_memory"):
        require_memory(Header(30000, 30000, 1, 0, 0), parsed_memory("1.5G"))


def test_little_memory_is_told_in_a_unit_that_shows_it() -> None:
    with pytest.raises(UserError, match=r"needs [\d.]+ [GM]iB of memory; 1 MiB are allowed"):
        require_memory(Header(100, 100, 1, 0, 0), parsed_memory("1M"))
