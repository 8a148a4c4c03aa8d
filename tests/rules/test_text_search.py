import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhub.model.item import Item, Person
from feedhub.rules.text import item_terms, query_terms, search_terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("Hello, World", "hello, world", id="words keep their place, in lower case"),
        pytest.param("金融消息", "金融 融消 消息 息", id="a run in overlapping pairs and its last character"),
        pytest.param("字", "字", id="one character"),
        pytest.param("ひらがなカナ", "ひら らが がな なカ カナ ナ", id="kana"),
        pytest.param("한국어", "한국 국어 어", id="Hangul"),
        pytest.param("5G芯片!", "5g 芯片 片 !", id="mixed"),
        pytest.param("ＡＢＣ ㍿", "abc 株式 式会 会社 社", id="compatibility forms"),
        pytest.param("𠀀𠀁", "𠀀𠀁 𠀁", id="beyond the basic plane"),
    ],
)
def test_text_is_cut_into_terms(text: str, terms: str) -> None:
    assert " ".join(search_terms(text).split()) == terms


@pytest.mark.parametrize(
    ("item", "text"),
    [
        pytest.param(Item(title="T", summary="Short <p>one</p>"), "short one", id="the summary"),
        pytest.param(Item(title="T", content="<p>All of <b>it</b></p>"), "all of it", id="the content"),
        pytest.param(Item(title="T", authors=(Person(name="Ann"), Person(name="Ben"))), "ann ben", id="the authors"),
        pytest.param(Item(title="T", tags=("chips", "fabs")), "chips fabs", id="the tags"),
        pytest.param(
            Item(title="T", content="中国<b>银行</b>"), "中国 国银 银行 行", id="a tag in a word parts nothing"
        ),
        pytest.param(Item(title="T", content="中国<p>银行</p>"), "中国 国 银行 行", id="a paragraph parts words"),
        pytest.param(Item(title="T", content='<a title="no">AT&amp;T</a>'), "at&t", id="characters, not markup"),
        pytest.param(Item(title="T", content="<b>a</b>", tags=("x<y",)), "a x<y", id="a sign that is no tag"),
        pytest.param(Item(title="T"), "", id="nothing but the title"),
    ],
)
def test_an_item_is_found_by_all_that_a_reader_sees_of_it(item: Item, text: str) -> None:
    title, rest = item_terms(item)
    assert (title, " ".join(rest.split())) == ("t", text)


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param("字", ["字*"], id="one character asks by prefix"),
        pytest.param("金融", ["金融"], id="two characters"),
        pytest.param("金融消息", ["金融 融消 消息"], id="a longer run is a phrase"),
        pytest.param("央行 Chips chips", ["央行", "chips"], id="words, each once"),
        pytest.param("5G芯片", ["5g", "芯片"], id="mixed"),
        pytest.param('"a" OR b* NEAR(c) -d ^e x:f', ["a", "or", "b", "near", "c", "d", "e", "x", "f"], id="no syntax"),
        pytest.param("\"*'(){}_%;--", [], id="only signs"),
    ],
)
def test_a_query_is_cut_the_same_way(query: str, terms: list[str]) -> None:
    assert query_terms(query) == terms


@given(st.text())
def test_no_query_gets_a_sign_through(query: str) -> None:
    for term in query_terms(query):
        assert all(sign.isalnum() or sign == " " or ord(sign) > 127 for sign in term.removesuffix("*"))
        assert term == term.strip()


@given(st.text(alphabet="金融消息行情，a b", min_size=1, max_size=20), st.data())
def test_every_part_of_a_text_finds_it(text: str, data: st.DataObject) -> None:
    indexed = f" {' '.join(search_terms(text).replace('，', ' ').replace(',', ' ').split())} "
    words = text.replace("，", " ").split()
    if not words:
        return
    word = data.draw(st.sampled_from(words))
    for term in query_terms(word):
        assert (f" {term[:-1]}" if term.endswith("*") else f" {term} ") in indexed
