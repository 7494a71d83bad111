"""All stages as one Spark job: spark-submit jobs/run.py --config conf/cluster.yaml [--set
key=value]...

The arguments are those of `llm-i2i run`. Where fine-tuning runs on machines of its own, give this
job `--to export`, run jobs/sft.py there, and give this job again: it goes on behind the last
complete stage.
"""

import sys

from llm_i2i_spark.__main__ import main

if __name__ == "__main__":
    code = main(["run", *sys.argv[1:]])
    if code:
        sys.exit(code)
