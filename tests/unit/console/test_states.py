"""What pages say where there is nothing yet, and of what is over or was nothing after all."""

from tests.unit.console.stores import Kept, ago, alert, broken, everything, outcome, votes


async def test_an_alert_that_was_taken_back_says_so_and_costs_nothing(tmp_path):
    kept = Kept(tmp_path).keep(
        broken(),
        outcome(ending="frustrated", broke_at="pay-online"),
        votes(8, 6, "pay-bill"),
        alert(),
        alert("retracted", version=2),
    )

    for path, place in (("/", "s-incidents"), ("/incidents/a-1", "s-headline")):
        page = await kept.page(path)
        part = page.html.partition(f'id="{place}"')[2].partition("</section>")[0]
        assert "Not broken after all: what came later took the evidence back." in part
        assert "customers hit" not in page.text
        assert "lost in" not in page.text


async def test_an_incident_that_is_over_has_the_reasons_of_when_it_was_most_certain(tmp_path):
    kept = Kept(tmp_path).keep(
        broken(),
        votes(8, 6, "pay-bill"),
        alert(evidence=30.0, reasons={"http_5xx": 32}),
        alert("resolved", version=2, resolved_at=ago(minutes=6), evidence=4.0, reasons={"slow": 4}),
    )

    shown = (await kept.page("/incidents/a-1")).text

    assert "the server reported an error 32" in shown


async def test_a_list_without_touchpoints_blames_no_name_that_nobody_typed(tmp_path):
    kept = Kept(tmp_path)

    assert "No touchpoint was met in this time." in (await kept.page("/touchpoints")).text
    typed = (await kept.page("/touchpoints", q="pay")).text
    assert "No touchpoint of that name was met in this time." in typed


async def test_a_report_on_nothing_has_nothing_to_keep_in_mind(tmp_path):
    empty = (await Kept(tmp_path / "empty").page("/report")).text
    some = (await Kept(tmp_path / "some").keep(*everything()).page("/report")).text

    assert "Nothing to report: no interaction was recorded in this time." in empty
    assert "No journey has ended yet." in empty
    assert "To keep in mind" not in empty
    assert "To keep in mind" in some
