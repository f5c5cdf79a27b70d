"""Files that cannot be read at all, or are not there."""

import pytest

from pipeline.catalogue import files
from pipeline.errors import CatalogueInvalid


def test_a_file_that_ends_too_early_is_blamed_on_its_last_line(catalogue):
    catalogue.write("rules.toml", "[sources]\ntest = [\n\n")

    assert catalogue.problems() == ["rules.toml:2: not valid TOML: invalid value"]


def test_a_file_in_another_encoding_is_refused_at_the_line(catalogue):
    (catalogue.directory / "rules.toml").write_bytes(b"# caf\xc3\xa9\n# caf\xe9\n")

    assert catalogue.problems() == ["rules.toml:2: expected text in UTF-8; found other"]


def test_a_missing_inventory_is_a_problem(catalogue):
    (catalogue.directory / "inventory.toml").unlink()

    assert catalogue.problems() == [
        "inventory.toml: expected the inventory of touchpoints; found no such file"
    ]


def test_a_missing_directory_is_a_problem(tmp_path):
    with pytest.raises(CatalogueInvalid) as invalid:
        files.load(tmp_path / "seds")

    assert str(invalid.value) == (
        f"{tmp_path}/seds: expected a directory with an inventory.toml; found none. Name it with "
        "--catalogue"
    )
