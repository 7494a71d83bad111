"""A CycloneDX bill of materials in JSON on standard input, with the jars that Spark has fetched for
Delta on this machine added, on standard output; `make sbom` is who calls this.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from llm_i2i_spark.base.files import sha256_of
from llm_i2i_spark.lake.delta_jars import fetched_jars

JAR = re.compile(r"(?P<group>[^_]+)_(?P<name>.+?)-(?P<version>\d.*)\.jar")


def component(jar: Path) -> dict[str, Any]:
    """A jar as a component, by the name that Spark gives it: ORGANISATION_NAME-VERSION.jar."""
    found = JAR.fullmatch(jar.name)
    assert found is not None, jar
    purl = "pkg:maven/{group}/{name}@{version}".format(**found.groupdict())
    digest = {"alg": "SHA-256", "content": sha256_of(jar)}
    return {"type": "library", "bom-ref": purl, "purl": purl, **found.groupdict()} | {
        "hashes": [digest]
    }


def main() -> None:
    """Read, add, check against the schema, write."""
    bill = json.load(sys.stdin)
    bill["components"] += [component(jar) for jar in sorted(fetched_jars({}))]
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        sys.exit(f"not a CycloneDX 1.6 document: {error}")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
