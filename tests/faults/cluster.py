"""Stages on a cluster of two executors on this machine, and what is killed while they run.

A program: `python -m tests.faults.cluster FOLDER GROUP [NAME ...]`, which prints the end of each
scenario as a line of JSON. The reference of each is the same stage in the same session without a
fault.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from llm_i2i_spark.backbones.cooccurrence import block_engine
from llm_i2i_spark.base.contracts import TABLES
from llm_i2i_spark.base.errors import LlmI2iError
from llm_i2i_spark.base.sections.spark import SparkConfig
from llm_i2i_spark.config.files import load_config
from llm_i2i_spark.generate.transform import item_inputs
from llm_i2i_spark.generate.worker import GenerateTask, load_generator, propose_batch
from llm_i2i_spark.i2i.stage import STAGE
from llm_i2i_spark.lake.batch_inference import infer
from llm_i2i_spark.lake.row_digest import row_digest
from llm_i2i_spark.lake.session import open_session
from llm_i2i_spark.lake.tables import Lake, contract_schema, result_schema
from tests.faults.strikes import Striking
from tests.stage_runs import put_rows, run_stage

ITEMS = 60
SETTINGS = {
    "spark.executor.memory": "512m",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "8",
}


class Cluster:
    """The session, a lake with the inputs of the stages, and the scenarios."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "events"
        self.log.mkdir()
        self.config = load_config(
            [], [f"lake.root={folder / 'lake'}", "i2i.incremental=false", "i2i.blocks=4"]
        )
        self.spark: SparkSession = open_session(
            SparkConfig(
                master="local-cluster[2,1,1024]",
                memory="1g",
                shuffle_partitions=4,
                short_jobs=True,
                conf={**SETTINGS, "spark.eventLog.dir": f"file://{self.log}"},
            ),
            folder / "spark.log",
        )
        self.lake = Lake(self.spark, self.config.lake)

    def put_models(self) -> None:
        """A generator with random weights, and the items that it knows."""
        from llm_i2i_spark.lm.checkpoint import save_checkpoint  # takes seconds to import
        from tests.lm.conftest import Small

        made = Small.checkpoint(ITEMS)
        self.digest_of_model = save_checkpoint(
            self.folder / "generator", made.model, made.vocabulary, None, made.manifest, None
        )
        items = [{"item_id": one.item_id, "text": one.text} for one in Small.items(ITEMS)]
        self.items = self.spark.createDataFrame(pa.Table.from_pylist(items))

    def put_clicks(self) -> None:
        """Table `fused` of 300 users."""
        draw = random.Random(3)
        rows = [
            {
                "variant": "real",
                "user_id": f"u{user}",
                "item_id": f"i{item:02}",
                "weight": 1.0,
                "source": "real",
                "position": place,
            }
            for user in range(300)
            for place, item in enumerate(draw.sample(range(ITEMS), 6))
        ]
        schema = to_arrow_schema(contract_schema(TABLES["fused"]), timezone="UTC")
        frame = self.spark.createDataFrame(pa.Table.from_pylist(rows, schema))  # without a worker
        self.fused = put_rows(self.lake, self.config, "fused", frame, [{"variant": "real"}])

    def similarities(self, split: Any = None, kernel: Any = None) -> str:
        """Stage i2i, with functions in the place of those that its workers run; the digest of what
        it wrote.
        """
        own = block_engine.split_lists, block_engine.similar_in_block
        block_engine.split_lists = split or own[0]
        block_engine.similar_in_block = kernel or own[1]
        scope = {"variant": "real", "backbone": "swing"}
        try:
            run_stage(
                STAGE,
                self.lake,
                self.config,
                {"fused": self.fused},
                [scope],
                inputs={"fused[variant=real]": "x"},
            )
        finally:
            block_engine.split_lists, block_engine.similar_in_block = own
        return self.digest("item_similarity")

    def candidates(self, propose: Any = propose_batch) -> str:
        """What stage generate makes of users with one item each."""
        task = GenerateTask(
            checkpoint_path=str(self.folder / "generator"),
            model_digest=self.digest_of_model,
            prompt_digest="prompt",
            batch_tokens=64,
            device="cpu",
            schema=to_arrow_schema(result_schema(TABLES["candidates"])),
            decode_digest="decode",
            per_user=7,
        )
        rows = infer(item_inputs(self.items, 3, 1), task, load_generator, propose, "generator")
        return self._written("candidates", rows)

    def _written(self, table: str, rows: Any) -> str:
        frame = rows.select(F.lit("base").alias("branch"), "*")
        put_rows(self.lake, self.config, table, frame, scopes=[{"branch": "base"}])
        return self.digest(table)

    def digest(self, table: str) -> str:
        """The digest of a table as it stands."""
        return str(row_digest(self.lake.read(table)))

    def retries(self, group: str) -> int:
        """How many tasks of a job group were started more than once."""
        self.spark.sparkContext._jsc.sc().listenerBus().waitUntilEmpty()
        (log,) = (path for path in self.log.iterdir() if not path.name.startswith("."))
        stages, started = set(), []
        for line in log.read_text().splitlines():
            if '"SparkListenerStageSubmitted"' in line:
                event = json.loads(line)
                if event["Properties"].get("spark.jobGroup.id") == group:
                    stages.add(event["Stage Info"]["Stage ID"])
            elif '"SparkListenerTaskStart"' in line:
                event = json.loads(line)
                started.append((event["Stage ID"], event["Task Info"]["Partition ID"]))
        own = [task for task in started if task[0] in stages]
        return len(own) - len(set(own))


@dataclass(frozen=True)
class Scenario:
    """A stage with a fault in one of its functions.

    Attributes:
        name: of its line.
        strike: the function.
        run: the stage with that function; a digest of what it wrote.
        expected: the digest without a fault.
        rows: that a model computes without a fault; None where there is none.
    """

    name: str
    strike: Striking
    run: Callable[[Striking], str]
    expected: str
    rows: int | None = None


def _striking(cluster: Cluster, function: Any, fault: str, name: str) -> Striking:
    folder = cluster.folder / name.replace(" ", "_")
    folder.mkdir()
    return Striking(function, fault, folder)


def of_similarities(cluster: Cluster) -> Iterator[Scenario]:
    """Those of stage i2i."""
    cluster.put_clicks()
    similar = cluster.similarities()
    for name, function, place in (
        ("executor in map", block_engine.split_lists, "split"),
        ("executor after shuffle", block_engine.similar_in_block, "kernel"),
    ):
        yield Scenario(
            name,
            _striking(cluster, function, "executor", name),
            lambda one, place=place: cluster.similarities(**{place: one}),
            similar,
        )


def of_models(cluster: Cluster) -> Iterator[Scenario]:
    """Those of the stages that ask a model."""
    cluster.put_models()
    proposed, name = cluster.candidates(), "workers in generate"
    strike = _striking(cluster, propose_batch, "workers", name)
    yield Scenario(name, strike, cluster.candidates, proposed, 7 * ITEMS)


GROUPS = {"similarities": of_similarities, "models": of_models}


def main(folder: Path, group: str, *names: str) -> None:
    """Run the scenarios of a group, or some of them."""
    cluster = Cluster(folder)
    for one in GROUPS[group](cluster):
        if names and one.name not in names:
            continue
        cluster.spark.sparkContext.setJobGroup(one.name, one.name)
        end: dict[str, Any] = {"name": one.name, "error": None, "same": None}
        try:
            end["same"] = one.run(one.strike) == one.expected
        except LlmI2iError as error:
            end["error"] = str(error)
        end |= {"struck": one.strike.struck(), "retries": cluster.retries(one.name)}
        if one.rows is not None:
            end["rows again"] = one.strike.rows() - one.rows
        print(json.dumps(end), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
