"""Results that print as lines, in a terminal and in a notebook."""

from __future__ import annotations

from html import escape


class Printed:
    """What is shown as the lines that it gives."""

    def lines(self) -> list[str]:
        """For a terminal."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
