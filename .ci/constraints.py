"""The report of `pip install --dry-run --report` on standard input as a file for pip's
`--require-hashes` on standard output; `make constraints` is who calls this.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from packaging.utils import canonicalize_name

HEAD = """\
# What every test runs with: extra `dev` of pyproject.toml on Python {python_version}, \
{platform_system} {platform_machine},
# each file by its sha256. Other versions of Python and other machines need other files.
#
#   make install CONSTRAINTS=1     installs this very list
#   make constraints               writes it anew, from what is installed in .venv
"""


def constraints(report: dict[str, Any]) -> str:
    """One line for each distribution, by name; the project itself has no hash and is left out."""
    lines = []
    for one in report["install"]:
        archive = one["download_info"].get("archive_info")
        if archive is not None:
            name = canonicalize_name(one["metadata"]["name"])
            sha256 = archive["hashes"]["sha256"]
            lines.append(f"{name}=={one['metadata']['version']} --hash=sha256:{sha256}\n")
    return HEAD.format(**report["environment"]) + "".join(sorted(lines))


if __name__ == "__main__":
    sys.stdout.write(constraints(json.load(sys.stdin)))
