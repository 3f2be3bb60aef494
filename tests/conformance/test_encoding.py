"""The suite's own base64 against that of the standard library."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients_register.conformance import encoding
from clients_register.conformance.encoding import FILTERS, encoded, filled

BYTES = st.binary(max_size=300)


@given(BYTES)
def test_it_encodes_as_the_standard_library_does(data: bytes) -> None:
    assert encoded(data) == base64.b64encode(data).decode()


@given(BYTES, st.sampled_from(["wrapped", "lf", "spaced"]))
def test_white_space_changes_nothing(data: bytes, name: str) -> None:
    assert base64.b64decode(FILTERS[name](encoded(data))) == data


@given(BYTES)
def test_urlsafe_is_the_other_alphabet(data: bytes) -> None:
    assert encoding.urlsafe(encoded(data)) == base64.urlsafe_b64encode(data).decode()


@given(st.binary(min_size=1, max_size=300))
def test_lf_writes_the_lines_that_the_standard_library_writes(data: bytes) -> None:
    assert encoding.lf(encoded(data)) == base64.encodebytes(data).decode()


@given(st.text(max_size=40), st.integers(0, 200))
def test_filling_up_keeps_the_text_and_has_the_size(text: str, size: int) -> None:
    if len(text.encode()) > size:
        with pytest.raises(ValueError, match=f"at most {size} bytes"):
            filled(text, size)
    else:
        written = filled(text, size)
        assert written.startswith(text)
        assert not written.removeprefix(text).strip("\n")
        assert len(written.encode()) == size


def test_lines_of_mime_have_76_characters() -> None:
    lines = encoding.wrapped(encoded(b"x" * 120)).split("\r\n")
    assert [len(line) for line in lines] == [76, 76, 8, 0]


def test_padding_is_taken_off_and_put_on() -> None:
    assert (encoding.unpadded("e30="), encoding.padded("e30=")) == ("e30", "e30==")


def test_every_filter_has_the_name_that_cases_write() -> None:
    assert set(FILTERS) == {"urlsafe", "unpadded", "padded", "wrapped", "lf", "spaced"}
