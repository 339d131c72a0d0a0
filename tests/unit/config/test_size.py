import pytest

from syncd.config.size import parse_size


@pytest.mark.parametrize(
    ("text", "size"), [("100MB", 10**8), ("1 GB", 10**9), ("500kB", 500_000), ("7B", 7)]
)
def test_a_size_is_read_in_powers_of_a_thousand(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["100MB", "1GB", "500kB", "1001B"])
def test_a_size_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_size(text)) == text


@pytest.mark.parametrize("text", ["", "0MB", "-1MB", "100", "1.5GB", "MB", "1TiB"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a size such as"):
        parse_size(text)
