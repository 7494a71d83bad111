r"""Fine-tuning under a launcher of your own; the arguments are those of `python -m
llm_i2i_spark.sft`.

    deepspeed --num_gpus 8 jobs/sft.py --config conf/cluster.yaml \
        --set sft.deepspeed=conf/deepspeed/zero2.json
    torchrun --nproc-per-node 8 jobs/sft.py --config conf/cluster.yaml

Both models are written below lake.root, which every rank must be able to reach, and committed to
the table `checkpoints`.
"""

import sys

from llm_i2i_spark.sft.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
