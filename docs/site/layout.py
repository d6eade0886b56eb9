"""Hooks of mkdocs that give the site the layout of the repository.

mkdocs knows the files of one folder, `docs`. Pages link to files outside it, too, by paths that
also lead somewhere on a code host. So every file is put where the repository has it
(`docs/enhance.md`, `README.md`, `experiments/results/tables.md`), and each package of the code gets
a page of its docstrings, `api/<package>.md`. A link to a file of Python leads to the docstrings of
its module; one to a notebook leads to a page of it; one to another file leads to a copy of it; one
to a folder is not a link on the site.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("*.md", "experiments/**/*.md", "magenet/weights/*/*.md")
"""Pages outside `docs`."""
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#([^)\s]*))?\)")
"""A link to a file: what it says, the path, the anchor."""
NOT_DOCUMENTED = {
    "magenet.commands", "magenet.main", "magenet.report", "magenet.scoring", "magenet.inference",
}  # fmt: skip
"""The command line, which `--help` describes, and old names."""


def on_config(config: MkDocsConfig) -> None:
    """List the pages of docstrings in the navigation."""
    assert config.nav is not None
    config.nav.append({"API": [{package: f"api/{package}.md"} for package in packages()]})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Put every file where the repository has it, and add pages of docstrings."""
    docs = Path(config.docs_dir)
    placed = Files([file for file in files if not _is_below(file, docs)])
    pages = [Path(file.abs_src_path or "") for file in files if _is_below(file, docs)]
    pages += [path for pattern in ELSEWHERE for path in sorted(ROOT.glob(pattern))]
    linked = {target for page in pages if page.suffix == ".md" for target in _files_linked(page)}
    for path in (*pages, *sorted(linked - set(pages))):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".ipynb":
            page = Path(name).with_suffix(".md").as_posix()
            placed.append(File.generated(config, page, content=_notebook(path)))
        else:
            placed.append(File.generated(config, name, abs_src_path=str(path)))
    for package, modules in packages().items():
        placed.append(File.generated(config, f"api/{package}.md", content=_page(package, modules)))
    return placed


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Let links to Python lead to docstrings, and links to folders be plain words."""
    if page.file.src_uri.startswith("api/"):
        return markdown
    here = (ROOT / page.file.src_uri).parent

    def rewritten(link: re.Match[str]) -> str:
        words, path, name = link.groups()
        target = (here / path).resolve()
        if target.is_dir():
            return words
        if target.suffix == ".ipynb":
            return f"[{words}]({path.removesuffix('.ipynb')}.md)"
        if target.suffix == ".py" and (module := _module(target)):
            return f"[{words}][{module}{f'.{name}' if name else ''}]"
        return link.group()

    return LINK.sub(rewritten, markdown)


def packages() -> dict[str, list[str]]:
    """Return the packages that are documented, each with its modules."""
    found: dict[str, list[str]] = {}
    for top in ("magenet", "data_modules"):
        for path in sorted((ROOT / top).rglob("*.py")):
            module = _module(path)
            if module is None:
                continue
            if path.name == "__init__.py":
                found.setdefault(module, [])
            else:
                found.setdefault(module.rpartition(".")[0], []).append(module)
    return found


def _module(path: Path) -> str | None:
    """Return the name of a documented module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] not in ("magenet", "data_modules"):
        return None
    name = ".".join(part for part in parts if part != "__init__")
    hidden = any(name == other or name.startswith(f"{other}.") for other in NOT_DOCUMENTED)
    return None if hidden else name


def _page(package: str, modules: list[str]) -> str:
    """Return a page of docstrings: the package's own, then those of its modules."""
    own = f"::: {package}\n    options: {{members: false, show_root_heading: false}}"
    return "\n\n".join([f"# {package}", own, *(f"::: {module}" for module in modules)]) + "\n"


def _notebook(path: Path) -> str:
    """Return a notebook as a page: its text, its code, and what the code printed and showed."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/jpeg" in data:
                address = "data:image/jpeg;base64," + "".join(data["image/jpeg"]).replace("\n", "")
                parts.append(f'<img alt="What the code shows" src="{address}">')
            else:
                text = "".join(output.get("text", data.get("text/plain", "")))
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def _is_below(file: File, folder: Path) -> bool:
    return Path(file.abs_src_path or "").is_relative_to(folder)


def _files_linked(page: Path) -> Iterator[Path]:
    for _, path, _ in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve()
        if target.is_file() and not (target.suffix == ".py" and _module(target)):
            yield target
