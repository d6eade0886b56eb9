"""Weights from the package, from a folder, or from the Hugging Face Hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub import (
    PyTorchModelHubMixin,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import RepositoryNotFoundError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Weights in the package: a folder with `config.json` and `model.safetensors` for each name."""

HASH = "tensors_sha256"
"""Key of the metadata of `model.safetensors` for the hash of its tensors."""

USE = "use"
"""Key of `config.json` for settings of use, which are not arguments of the network."""


class Pretrained(PyTorchModelHubMixin):
    """Mixin to save and load a network with its arguments, by safetensors only.

    `save_pretrained(folder)` writes `config.json` and `model.safetensors`; `push_to_hub` uploads
    them. Pickles are never read, since unpickling can execute code. The file of the weights carries
    a hash of its tensors, which is compared when they are loaded.
    """

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write the weights: the method that the mixin lets subclasses override."""
        tensors = {
            name: tensor.contiguous()
            for name, tensor in self.state_dict().items()  # type: ignore[attr-defined]  # a mixin of modules
        }
        file = save_directory / constants.SAFETENSORS_SINGLE_FILE
        # Not `save_file`, which makes the file private: shared weights have the umask's mode.
        file.write_bytes(save(tensors, {"format": "pt", HASH: tensor_hash(tensors)}))

    @property
    def use(self) -> dict[str, Any]:
        """Return the settings of use in `config.json`; changes are saved with the network."""
        config = self._hub_mixin_config
        assert isinstance(config, dict)  # the mixin sets it when the network is built
        use: dict[str, Any] = config.setdefault(USE, {})
        return use

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Self:
        """Load a network with its weights, in evaluation mode.

        Args:
            pretrained_model_name_or_path: Name of weights in the package, such as `mage_net`; or a
                folder; or the id of a repository on the Hub, `owner/name`: what begins with `/`,
                `.` or `~`, or with a folder that exists, is a path and never looked up there.
            options: See `huggingface_hub.PyTorchModelHubMixin.from_pretrained`: `revision`,
                `local_files_only` and others.

        Raises:
            FileNotFoundError: If there are no weights at this name, folder or id.
            RuntimeError: If the weights belong to another network.
            ValueError: If they are damaged: their hash is not that of their tensors.
        """
        name = pretrained_model_name_or_path
        folder = WEIGHTS / str(name)
        packaged = (folder / constants.CONFIG_NAME).is_file()
        if not packaged and not Path(name).is_dir():
            _require_on_hub(str(name), options)
        return super().from_pretrained(folder if packaged else name, **options)

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
        """Load the network: the method that the mixin lets subclasses override."""
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
                f"{model_id}: no weights found: config.json and {file.name} are needed"
            )
        try:
            network = cls(**arguments)
        except (TypeError, ValueError) as error:
            raise RuntimeError(
                f"{model_id}: config.json is not of this {cls.__name__}: {error}"
            ) from None
        network.load_state_dict(read_tensors(file))  # type: ignore[attr-defined]
        network._hub_mixin_config = config
        return network.eval()  # type: ignore[attr-defined, no-any-return]


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, and verify their hash where it carries one.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with safe_open(file, "pt") as content:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
            expected = (content.metadata() or {}).get(HASH)
    except SafetensorError as error:
        raise ValueError(f"{file}: is damaged ({error})") from None
    if expected not in (None, tensor_hash(tensors)):
        raise ValueError(f"{file}: is damaged or was altered: its hash is not that of its weights")
    return tensors


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: of their names, types, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _require_on_hub(name: str, options: dict[str, Any]) -> None:
    """Raise unless the Hub, or its cache, has weights of a name that is no folder.

    The Hub is asked once: `hf_hub_download` would ask for half a minute where there is no network.

    Raises:
        FileNotFoundError: If it has none, or cannot be asked.
    """
    if "/" not in name and not Path(name).is_file():
        raise FileNotFoundError(
            f"{name}: neither the name of weights in the package, nor a folder, nor an id on "
            f"the Hub ('owner/name')"
        )
    if Path(name).is_file():
        raise FileNotFoundError(
            f"{name}: is a file, and weights are a folder; use a checkpoint with 'magenet predict'"
        )
    if name[0] in "/.~" or name.count("/") > 1 or Path(name).parent.exists():
        raise FileNotFoundError(f"{name}: no such folder")
    revision, cache = options.get("revision"), options.get("cache_dir")
    cached = try_to_load_from_cache(name, constants.CONFIG_NAME, cache, revision)
    if isinstance(cached, str) or options.get("local_files_only"):
        return
    url = hf_hub_url(name, constants.CONFIG_NAME, revision=revision)
    try:
        get_hf_file_metadata(url, token=options.get("token"))
    except RepositoryNotFoundError:
        fault = "no such repository, or a private one"
    except Exception as error:  # of the network, in many kinds
        fault = str(error).splitlines()[0]
    else:
        return
    raise FileNotFoundError(f"{name}: no such folder; nor is it on the Hub: {url} ({fault})")
