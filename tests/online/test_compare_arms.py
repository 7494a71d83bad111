"""A whole log through Spark: equal to the definitions in NumPy, whatever its order and partitions;
users of two arms set aside; what cannot be compared said.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from llm_i2i_spark import compare_arms
from llm_i2i_spark.base.errors import ConfigError, InputDataError
from llm_i2i_spark.datasets.experiment import CONTROL, experiment_log, simulate_arm
from llm_i2i_spark.online.comparison import ArmComparison
from llm_i2i_spark.online.latency import percentile_estimates
from llm_i2i_spark.online.measures import MEASURES
from llm_i2i_spark.online.moments import Moments
from tests.online.arrays import latency_moments, user_values

pytestmark = pytest.mark.spark
USERS, SEED = 800, 9
COLUMNS = ["arm", "user_id", "item_id", "event"]


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return experiment_log(USERS, SEED).to_pandas()


@pytest.fixture(scope="module")
def compared(spark: SparkSession, log: pd.DataFrame) -> ArmComparison:
    return compare_arms(log)


def close(ours: tuple, theirs: tuple) -> bool:
    return np.allclose([ours[0], *ours[1]], [theirs[0], *theirs[1]], rtol=1e-9)


def test_spark_counts_what_the_definitions_say(compared: ArmComparison) -> None:
    # The draws of `experiment_log`, one arm after the other's rows.
    random = np.random.default_rng(SEED)
    treated = int(random.binomial(USERS, 0.5))
    control = simulate_arm(CONTROL, USERS - treated, random)
    moments = Moments.of(user_values(control))
    assert compared.sample_ratio.users[0] == moments.users
    for measure in MEASURES:
        ratio = measure.of(moments)
        assert ratio is not None
        assert close(compared[measure.name].control, measure.estimate(ratio)), measure.name
    latencies, requests = latency_moments(control)
    for name, wanted in zip(
        ("p50", "p95", "p99"), percentile_estimates(latencies, requests), strict=True
    ):
        found = compared[f"latency_{name}"].control
        assert found is not None
        assert found.value == pytest.approx(wanted.value, rel=5e-4)  # four significant digits
        assert (found.interval is None) == (wanted.interval is None)
        if wanted.interval:
            assert found.interval == pytest.approx(wanted.interval, rel=2e-3)
    assert compared.totals["control"]["clicks"] == len(control.clicked)


def test_order_and_partitions_change_nothing(
    spark: SparkSession, log: pd.DataFrame, compared: ArmComparison
) -> None:
    shuffled = spark.createDataFrame(log.sample(frac=1, random_state=3)).repartition(5)
    again = compare_arms(shuffled, "control", "treatment")
    for figure in compared.figures:
        for part in ("control", "treatment", "difference"):
            one, other = getattr(figure, part), getattr(again[figure.name], part)
            assert one.value == pytest.approx(other.value, rel=1e-12)
            assert (one.interval or ()) == pytest.approx(other.interval or (), rel=1e-9)


def test_a_person_and_a_program_read_the_same(compared: ArmComparison) -> None:
    shown, values = str(compared), compared.to_dict()
    assert f"control: {values['users']['control']:,} users" in shown
    assert f"{values['measures']['ctr']['control']['value']:.3%}" in shown
    assert "users fit the split 0.5 to 0.5" in shown
    assert list(compared.to_pandas()["measure"]) == list(values["measures"])
    assert "CTR" in compared._repr_html_()


def test_users_of_two_arms_are_left_out_of_everything(
    spark: SparkSession, log: pd.DataFrame, compared: ArmComparison
) -> None:
    both = [
        {"arm": arm, "user_id": f"x{number}", "item_id": "i", "event": event, **more}
        for number in range(3)
        for arm, event, more in (
            ("control", "exposure", {"latency_ms": 9e6}),
            ("treatment" if number else "third", "order", {"amount": 1e6}),
        )
    ]
    extra = pd.DataFrame(both)
    extra["ts"] = log["ts"].iloc[0]
    found = compare_arms(pd.concat([log, extra]), "control", "treatment")
    assert found.users_in_several_arms == 3
    assert found.other_rows == {"third": 1}
    assert "left out 3 users with rows in more than one arm" in str(found)
    for figure in compared.figures:
        assert close(found[figure.name].control, figure.control) or not figure.control.interval


def test_rows_that_do_not_count_are_told_with_their_reason(
    log: pd.DataFrame, spark: object
) -> None:
    bad = log.head(4).assign(user_id=[None, "", "a", "b"], item_id=["i", "i", None, None])
    found = compare_arms(pd.concat([log, bad]))
    assert found.bad_rows == {"no item_id": 2, "no user_id": 2}
    assert "left out 4 rows (no item_id: 2, no user_id: 2)" in str(found)


def test_missing_users_are_an_alarm_above_the_table(log: pd.DataFrame, spark: object) -> None:
    lost = (log["arm"] == "treatment") & (log["user_id"].str[-1].isin(list("0123")))
    found = compare_arms(log[~lost])
    assert found.sample_ratio.is_mismatch
    assert found.lines()[2].startswith("SAMPLE RATIO MISMATCH")
    assert found.to_dict()["sample_ratio"]["mismatch"] is True
    assert not compare_arms(log[~lost], expected_split=found.sample_ratio.users).to_dict()[
        "sample_ratio"
    ]["mismatch"]


def test_an_order_before_any_exposure_is_none_of_somebody_exposed(spark: SparkSession) -> None:
    rows = [
        (arm, f"{arm}{user}", "i", event, 1.0, ts)
        for arm in ("A", "B")
        for user, event, ts in (
            ("before", "order", 1),
            ("before", "exposure", 2),
            ("after", "exposure", 1),
            ("after", "order", 2),
            ("never", "order", 1),
            ("shown", "exposure", 1),
        )
    ]
    log = pd.DataFrame(rows, columns=[*COLUMNS, "amount", "ts"])
    found = compare_arms(log, "A", "B")
    assert found["l2p"].control.value == pytest.approx(1 / 3)
    assert found["purchase_rate"].control.value == pytest.approx(1 / 3)
    timeless = compare_arms(spark.createDataFrame(log.drop(columns="ts")), "A", "B")
    assert timeless["l2p"].control.value == pytest.approx(2 / 3)


def test_a_request_is_as_slow_as_its_slowest_row(spark: SparkSession) -> None:
    rows = [
        (arm, f"{arm}{user}", "i", "exposure", request, latency)
        for arm in ("A", "B")
        for user, request, latency in (
            (1, "r1", 10.0),
            (1, "r1", 30.0),
            (2, "r2", 123456.0),
            (2, None, 20.0),
            (3, None, 0.0),
        )
    ]
    log = spark.createDataFrame(
        rows,
        "arm string, user_id string, item_id string, event string, request_id string,"
        " latency_ms double",
    )
    found = compare_arms(log, "A", "B")
    # 0, 20, 30, 123456: to four significant digits.
    assert found["latency_p50"].control.value == 20
    assert found["latency_p99"].control.value == 123500
    assert "gmv" not in found.to_dict()["measures"]


@pytest.mark.parametrize(
    ("arms", "named", "words"),
    [
        (("A", "B"), {}, "--control ARM --treatment ARM; the event log has A, B"),
        (("A", "B"), {"control": "C"}, "no arm C; it has A, B"),
        (("A",), {"control": "A"}, "Name two arms"),
        (("A", "B"), {"control": "A", "treatment": "A"}, "Name two arms"),
        (("control", "B", "C"), {}, "Name two arms"),
    ],
)
def test_arms_that_cannot_be_told_are_asked_for(
    spark: SparkSession, arms: tuple[str, ...], named: dict[str, str], words: str
) -> None:
    log = pd.DataFrame([(arm, f"u{arm}", "i", "click") for arm in arms], columns=COLUMNS)
    with pytest.raises(ConfigError, match=words):
        compare_arms(log, **named)


@pytest.mark.parametrize(
    ("arms", "named"),
    [
        (("Control", "x"), {}),
        (("x", "Control"), {"treatment": "x"}),
        (("a", "x"), {"control": "a"}),
    ],
)
def test_one_name_or_none_is_enough_where_the_other_is_plain(
    spark: SparkSession, arms: tuple[str, ...], named: dict[str, str]
) -> None:
    log = pd.DataFrame([(arm, f"u{arm}", "i", "click") for arm in arms], columns=COLUMNS)
    found = compare_arms(log, **named)
    assert found.treatment == "x"


def test_a_log_of_nothing_but_bad_rows_is_one_sentence(spark: SparkSession) -> None:
    log = pd.DataFrame([("A", "u", "i", "hover")] * 2, columns=COLUMNS)
    with pytest.raises(InputDataError, match=r"no usable row \(event is none of .*: 2\)"):
        compare_arms(log)
