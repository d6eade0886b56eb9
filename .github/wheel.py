"""Step of the wheel's build, which hatchling calls: in the wheel, `data_modules` has another name.

`pyproject.toml` lays the folder `data_modules` into the wheel as `magenet/data_modules`, so that it
meets no other package of its name. Here each import of it, and each dotted name that begins with
it, in code, docstrings and YAML, is written `magenet.data_modules` in the wheel's copy of a file.
"""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

IMPORT = re.compile(r"^(\s*(?:>>> )?(?:from|import) )(?=data_modules\b)", re.MULTILINE)
DOTTED = re.compile(r"(?<![\w./-])(?=data_modules\.\w)")
"""Places before which `magenet.` is missing; in a path (`data_modules/paired.py`) it is not."""


class RenameDataModules(BuildHookInterface):
    """Put renamed copies in the place of the files that name `data_modules`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the copies; an editable installation has none, since its code is the clone's."""
        if version == "editable":
            return
        self.copies = TemporaryDirectory()
        for file in self.build_config.builder.recurse_selected_project_files():
            if not file.path.endswith((".py", ".yaml")):
                continue
            text = Path(file.path).read_text(encoding="utf-8")
            renamed = DOTTED.sub("magenet.", IMPORT.sub(r"\1magenet.", text))
            if renamed != text:
                copy = Path(self.copies.name, file.distribution_path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(renamed, encoding="utf-8")
                build_data["force_include"][str(copy)] = file.distribution_path

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the copies."""
        if version != "editable":
            self.copies.cleanup()
