"""Read docstrings as their authors mean them: an extension of griffe."""

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:func|class|meth|mod|attr):`~?([^`]+)`")


class Docstrings(Extension):
    """Take `Example:` as `Examples:`, whose lines are code, and the roles of Sphinx as names."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change a docstring before it is parsed."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = ROLE.sub(r"`\1`", text)
