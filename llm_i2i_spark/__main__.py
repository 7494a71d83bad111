"""`llm-i2i`, also as `python -m llm_i2i_spark`."""

import sys

from llm_i2i_spark.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
