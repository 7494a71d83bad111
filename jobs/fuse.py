"""Stage fuse as a Spark job: spark-submit jobs/fuse.py --config conf/cluster.yaml [--set
key=value]...

The arguments are those of `llm-i2i fuse`; the session, its resources and the Delta package come
from spark-submit.
"""

import sys

from llm_i2i_spark.__main__ import main

if __name__ == "__main__":
    code = main(["fuse", *sys.argv[1:]])
    if code:
        sys.exit(code)
