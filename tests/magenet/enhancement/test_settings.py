"""Settings come back from the configuration that they are written to."""

import json

import pytest

from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
from magenet.models import MAGENet
from tests.magenet.conftest import ALL
from tests.magenet.models.test_mage_net import TINY

CHECK = FundusCheck([0.5], [[1.0]], 4.0)


@pytest.mark.parametrize("curves", [{}, {"light": ALL}, {"light": ALL, "uncertainty": ALL}])
def test_settings_come_back_with_and_without_curves(curves: dict[str, object]) -> None:
    network = MAGENet(**TINY)
    settings = Settings(128, CHECK, **curves)  # type: ignore[arg-type]
    network.use.update(settings.as_config())
    assert Settings.of(network) == settings
    network.use.update(json.loads(json.dumps(settings.as_config())))
    again = Settings.of(network)
    assert (again.light is None, again.uncertainty is None) == (
        settings.light is None, settings.uncertainty is None,
    )  # fmt: skip
    del network.use["light"]
    with pytest.raises(UserError, match="light"):
        Settings.of(network)


def test_a_fast_network_sees_half_of_the_side_and_never_less_than_its_smallest() -> None:
    own = Settings((512, 2048), CHECK)
    assert [own.side(side, fast=True) for side in (300, 800, 1400, 2048, 5000)] == [
        512, 512, 700, 1024, 1024,
    ]  # fmt: skip
    assert Settings(512, CHECK).side(3000, fast=True) == 512, "sees every eye at one side"
    assert Settings(None, CHECK).side(3000, fast=True) == 3000


@pytest.mark.parametrize("size", ["abc", None, [512], [512, 256]])
def test_a_size_that_is_no_number_is_told(size: object) -> None:
    network = MAGENet(**TINY)
    network.use.update(Settings(128, CHECK).as_config() | {"size": size})
    with pytest.raises(UserError, match=r"config\.json does not say how they are used: .*int"):
        Settings.of(network)


def test_two_sizes_are_the_least_and_the_greatest() -> None:
    network = MAGENet(**TINY)
    network.use.update(Settings((512, 2048), CHECK).as_config())
    settings = Settings.of(network)
    assert settings.size == (512, 2048)
    assert [settings.side(own) for own in (40, 777, 9000)] == [512, 777, 2048]
