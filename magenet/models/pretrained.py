"""Weights that come with the package, from a folder, or from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from huggingface_hub import PyTorchModelHubMixin, constants, hf_hub_download
from safetensors.torch import load_model

WEIGHTS = Path(__file__).parents[1] / "weights"
"""What comes with the package: a folder of `config.json` and `model.safetensors` for each name."""

USE = "use"
"""Key of `config.json` for what is no argument of the network: how it is to be used."""


class Pretrained(PyTorchModelHubMixin):
    """Be a network that can be saved and loaded with its arguments, by safetensors only.

    `save_pretrained(folder)` writes `config.json` and `model.safetensors`; `push_to_hub` puts them
    on the hub. A pickle is never read, since reading one can run code.
    """

    @property
    def use(self) -> dict[str, Any]:
        """Return how the network is to be used, as its `config.json` says; changes are saved."""
        config = self._hub_mixin_config
        assert isinstance(config, dict)  # of the arguments, since the network was built
        use: dict[str, Any] = config.setdefault(USE, {})
        return use

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Self:
        """Return a network with its weights, ready for use.

        Args:
            pretrained_model_name_or_path: Name of weights that come with the package, such as
                `mage_net`; or a folder; or the id of a repository on the hub.
            options: See `huggingface_hub.PyTorchModelHubMixin.from_pretrained`: `revision`,
                `local_files_only` and others.

        Raises:
            FileNotFoundError: If a folder does not hold weights, or there is no such thing.
            RuntimeError: If they are of another network.
        """
        name = pretrained_model_name_or_path
        own = WEIGHTS / str(name)
        packaged = (own / constants.CONFIG_NAME).is_file()
        if not packaged and not Path(name).is_dir() and str(name).count("/") != 1:
            raise FileNotFoundError(
                f"{name}: no weights of this name in the package, no such folder, and no id on "
                f"the hub ('owner/name')"
            )
        return super().from_pretrained(own if packaged else name, **options)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        config: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> Self:
        """Return the network; all that the mixin lets one change of how weights are read."""
        file = Path(model_id) / constants.SAFETENSORS_SINGLE_FILE
        if not Path(model_id).is_dir():
            file = Path(
                hf_hub_download(
                    model_id, constants.SAFETENSORS_SINGLE_FILE, revision=revision,
                    cache_dir=cache_dir, force_download=force_download, token=token,
                    local_files_only=local_files_only,
                )
            )  # fmt: skip
        if not file.is_file() or config is None:
            raise FileNotFoundError(
                f"{model_id}: holds no weights: it needs config.json and {file.name}"
            )
        network = cls(**arguments)
        load_model(network, file)  # type: ignore[arg-type]  # a mixin of modules
        network._hub_mixin_config = config
        return network.eval()  # type: ignore[attr-defined, no-any-return]
