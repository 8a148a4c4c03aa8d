"""Our JSON files are what the standard library would write with an indentation of two."""

import json

from hypothesis import given
from hypothesis import strategies as st

from feedhub.publish.json_feed import json_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


@given(VALUES)
def test_every_value_is_written_as_json_dumps_does(value: object) -> None:
    assert json_text(value) == json.dumps(value, ensure_ascii=False, indent=2)


@given(VALUES)
def test_a_value_can_be_put_where_it_is_held_by_others(value: object) -> None:
    whole = json.dumps({"items": [value]}, ensure_ascii=False, indent=2)
    assert whole == '{\n  "items": [\n    ' + json_text(value, depth=2) + "\n  ]\n}"
