"""A mistake over the options of a command is one line that helps."""

import pytest

from magenet.commands.parser import CommandParser
from magenet.errors import UsageError


@pytest.fixture
def parser() -> CommandParser:
    parser = CommandParser(prog="magenet draw")
    parser.add_argument("input")
    parser.add_argument("--strength", type=float)
    parser.add_argument("-o", "--out")
    return parser


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a", "--strenght", "3"], "unrecognized arguments: --strenght 3 (did you mean --strength"),
        (["a", "--strenght=3"], "unrecognized arguments: --strenght=3 (did you mean --strength?)"),
        (["a", "strength"], "unrecognized arguments: strength; "),
        (["a", "--zzz", "3"], "unrecognized arguments: --zzz 3; "),
        ([], "the following arguments are required: input; "),
        (["a", "--strength", "much"], "argument --strength: invalid float value: 'much'; "),
    ],
)
def test_a_mistake_is_one_line_that_names_what_was_meant(
    parser: CommandParser, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as error:
        parser.parse_args(arguments)
    line = str(error.value)
    assert line.startswith(told)
    assert line.endswith("; see magenet draw --help")
    assert "\n" not in line
    assert capsys.readouterr() == ("", "")
