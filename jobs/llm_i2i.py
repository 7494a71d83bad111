"""Every command as a Spark job: `spark-submit jobs/llm_i2i.py COMMAND [OPTION]...`

    spark-submit jobs/llm_i2i.py run --config conf/cluster.yaml
    spark-submit jobs/llm_i2i.py i2i --config conf/cluster.yaml --variants real

Commands and options are those of `llm-i2i`, a stage's name for that stage alone; the session, its
resources and the Delta package come from spark-submit. Where fine-tuning runs on machines of its
own, give `run --to export` here, run jobs/sft.py there, and give `run --from sft` here: what is
complete is not repeated.
"""

import sys

from llm_i2i_spark.cli.main import main

if __name__ == "__main__":
    # Databricks takes every exit, also one with code 0, for a failure.
    if code := main():
        sys.exit(code)
