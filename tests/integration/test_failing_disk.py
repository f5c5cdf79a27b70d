"""What `touchpoints up` does on a disk that no longer keeps its word."""

from tests.integration.failing import launcher
from tests.integration.serving import Up, records_of


def home(name):
    return {"id": name, "channel": "web", "name": "home", "identifiers": {"anonymous_id": "a-1"}}


def test_a_pipeline_that_fails_for_good_ends_the_process_with_its_message(tmp_path):
    broken = tmp_path / "broken"
    before = launcher(broken, "pipeline.bootstrap", "EmbeddedRuntime")
    up = Up(tmp_path / "data", before=before).start()
    assert up.post([home("t-1")]).status == 200

    broken.touch()
    refused = up.post([home("t-2")])
    code = up.ended()

    assert refused.status == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert code == 1
    assert up.said.read_text().splitlines()[-1] == (
        f"touchpoints: {up.data}/touchpoints.db: the database answered disk I/O error "
        "(SQLITE_IOERR_FSYNC). Nothing more is accepted, and all that was acknowledged before is "
        "kept. Check the disk, then start again."
    )
    with Up(tmp_path / "data") as again:
        assert [one["id"] for one in records_of(again.data, "touchpoints")] == ["t-1"]
