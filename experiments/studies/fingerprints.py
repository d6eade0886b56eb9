"""Hashes of the files that a result depends on."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

import yaml


def fingerprint(*files: Path) -> str:
    """Return a hash of files that changes with what they do: not with comments and docstrings."""
    return hashlib.sha256(b"".join(_content(file) for file in files)).hexdigest()


def _content(file: Path) -> bytes:
    """Return a file's bytes; of YAML and Python what is left without comments and docstrings."""
    if file.suffix == ".yaml":
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        return json.dumps(content, sort_keys=True, default=str).encode()
    if file.suffix == ".py":
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                node.body = [part for part in node.body if not _is_text(part)]
        return ast.dump(tree).encode()
    return file.read_bytes()


def _is_text(node: ast.stmt) -> bool:
    """Return whether a statement is a string alone, as docstrings are."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return False
    return isinstance(node.value.value, str)
