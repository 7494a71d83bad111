"""Progress of a job, from its process to the one that waits."""

from __future__ import annotations

from llm_i2i_spark.training_job.events import EventFile, EventReader, EventView, Reporter


def test_events_travel_through_a_file_line_by_line(tmp_path):
    path = tmp_path / "events"
    reader = EventReader(path)
    assert reader.read() == []
    reporter = Reporter(EventFile(path).write)
    for done in range(1, 100):
        reporter.progress("generator", done, 99, "steps")
    reporter.failed("no", "ConfigError")
    with path.open("a") as file:
        file.write('{"kind": "no')
    events = reader.read()
    assert events[0]["done"] == 1
    assert events[-2]["done"] == 99
    assert len(events) < 20  # not one for every step
    with path.open("a") as file:
        file.write('te", "text": "late"}\n')
    assert reader.read() == [{"kind": "note", "text": "late"}]
    view = EventView("combine")
    for event in events:
        view.show(event)
    view.close()
    assert view.failure == {"kind": "failed", "message": "no", "error": "ConfigError"}
