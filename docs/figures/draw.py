"""A few SVG shapes, so that figures are text under version control and need no library."""

from __future__ import annotations

from html import escape

INK, FAINT, PAPER = "#263238", "#90a4ae", "#ffffff"
TEAL, AMBER, GREY = "#00796b", "#ef6c00", "#607d8b"


class Drawing:
    """An SVG picture; lengths are pixels, the origin is the upper left corner.

    Args:
        width: of the picture.
        height: of the picture.
        title: what it shows, for readers who cannot see it.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" font-family="sans-serif" '
            f'font-size="13" fill="{INK}">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        ]

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A rounded box in an outline of one colour."""
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="{color}" '
            f'fill-opacity="0.1" stroke="{color}"/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """A filled bar."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{color}"/>'
        )

    def dot(self, x: float, y: float, color: str) -> None:
        """A point."""
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{color}"/>')

    def line(
        self, x1: float, y1: float, x2: float, y2: float, color: str = FAINT, width: float = 1.5
    ) -> None:
        """A straight line."""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
            f'stroke-width="{width}"/>'
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A line with a head at its end; horizontal or vertical."""
        self.line(x1, y1, x2, y2)
        if x1 == x2:
            step = 5 if y2 > y1 else -5
            head = f"{x2 - 4},{y2 - step} {x2 + 4},{y2 - step} {x2},{y2 + step / 2}"
        else:
            step = 5 if x2 > x1 else -5
            head = f"{x2 - step},{y2 - 4} {x2 - step},{y2 + 4} {x2 + step / 2},{y2}"
        self._parts.append(f'<polygon points="{head}" fill="{FAINT}"/>')

    def text(
        self,
        x: float,
        y: float,
        words: str,
        color: str = INK,
        bold: bool = False,
        anchor: str = "start",
        size: int = 13,
    ) -> None:
        """A line of text; `y` is its base line."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" text-anchor="{anchor}" '
            f'font-size="{size}"{weight}>{escape(words)}</text>'
        )

    def svg(self) -> str:
        """The picture as a file's content."""
        return "\n".join([*self._parts, "</svg>"]) + "\n"
