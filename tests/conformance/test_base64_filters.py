"""The ways to write base64 that cases choose from."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients_register.conformance.request import BASE64_FILTERS, encode_base64, pad_to

BYTES = st.binary(max_size=300)


@given(BYTES, st.sampled_from(["wrapped", "lf", "spaced"]))
def test_white_space_changes_nothing(data: bytes, name: str) -> None:
    assert base64.b64decode(BASE64_FILTERS[name](encode_base64(data))) == data


@given(BYTES)
def test_urlsafe_is_the_other_alphabet(data: bytes) -> None:
    expected = base64.urlsafe_b64encode(data).decode()
    assert BASE64_FILTERS["urlsafe"](encode_base64(data)) == expected


@given(st.binary(min_size=1, max_size=300))
def test_lf_writes_the_lines_that_the_standard_library_writes(data: bytes) -> None:
    assert BASE64_FILTERS["lf"](encode_base64(data)) == base64.encodebytes(data).decode()


@given(st.text(max_size=40), st.integers(0, 200))
def test_padding_keeps_the_text_and_has_the_size(text: str, size: int) -> None:
    if len(text.encode()) > size:
        with pytest.raises(ValueError, match=f"at most {size} bytes"):
            pad_to(text, size)
    else:
        padded = pad_to(text, size)
        assert padded.startswith(text)
        assert not padded.removeprefix(text).strip("\n")
        assert len(padded.encode()) == size


def test_lines_of_mime_have_76_characters() -> None:
    lines = BASE64_FILTERS["wrapped"](encode_base64(b"x" * 120)).split("\r\n")
    assert [len(line) for line in lines] == [76, 76, 8, 0]


def test_padding_characters_are_removed_and_added() -> None:
    assert BASE64_FILTERS["unpadded"]("e30=") == "e30"
    assert BASE64_FILTERS["padded"]("e30=") == "e30=="
