"""Fingerprints change with what a file does."""

from pathlib import Path

from experiments.studies.fingerprints import fingerprint


def test_a_comment_does_not_make_a_row_stale(tmp_path: Path) -> None:
    files = {
        "a.yaml": ("x: 1  # one\n", "# head\nx: 1\n", "x: 2\n"),
        "a.py": ('"""A."""\nX = 1\n', '"""B."""\n\nX = 1  # one\n', '"""A."""\nX = 2\n'),
        "b.py": ("...\n", "...  # one\n", "1\n"),
    }
    for name, versions in files.items():
        found = []
        for text in versions:
            (tmp_path / name).write_text(text)
            found.append(fingerprint(tmp_path / name))
        assert found[0] == found[1] != found[2]
