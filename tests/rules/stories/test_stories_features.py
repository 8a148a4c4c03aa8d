"""What is kept of an item's text."""

from feedhub.rules.stories.features import folded, story_features, weight_of

TEXT = "气象台预计本周末多云转晴，气温回升三度，早晚温差较大，请市民出行时注意添加衣物。"


def test_tags_datelines_notes_and_credits_are_no_part_of_a_text() -> None:
    bare = story_features("题", TEXT)
    for dressed in (
        f"<p>{TEXT}</p>",
        f"【快讯】{TEXT}",
        f"临江社3月2日电（记者 王小明）{TEXT}",
        f"{TEXT}（来源：临江晚报）",
        f"{TEXT} 责任编辑：李四",
    ):
        assert story_features("题", dressed).runs == bare.runs, dressed
    english = "Walnuts and lanterns are sold at the market of Velden on Sundays."
    plain = story_features("t", english)
    for line in ("VELDEN, March 2 (Reuters) - ", "VELDEN, March 2, 2026 /PRNewswire/ -- "):
        assert story_features("t", line + english).runs == plain.runs


def test_texts_are_compared_without_case_width_and_script() -> None:
    assert folded("ＡＢＣ ２５ 氣溫") == "abc 25 气温"
    assert story_features("多雲轉晴", "氣溫回升").vector == story_features("多云转晴", "气温回升").vector


def test_a_text_is_cjk_by_its_letters_and_a_bare_headline_by_its_own() -> None:
    assert story_features("Headline", TEXT).is_cjk
    assert story_features("周末多云转晴", "").is_cjk
    assert not story_features("ABC：周末", "Walnuts are sold at the market of Velden.").is_cjk
    assert not story_features("", "").is_cjk


def test_keys_are_few_and_those_of_a_shortened_text_are_shared() -> None:
    long = " ".join(f"{a}{b}" for a in "abcdefghijklmnop" for b in "qrstuvwxyz")
    whole, cut = story_features("t", long), story_features("t", long[:400])
    assert len(whole.run_keys) <= 16
    assert len(whole.term_keys) == 12
    assert set(whole.run_keys) & set(cut.run_keys)


def test_numbers_stand_by_the_tokens_around_them_and_the_first_of_a_place_counts() -> None:
    features = story_features("t", "7 rose 12 points, then rose 13 points to 4,250.5 in all, and 9")
    assert sorted(features.numbers.values()) == ["12", "4,250.5"]
    assert list(story_features("12 points", "").title_numbers.values()) == ["12"]


def test_a_title_of_nothing_but_a_note_has_the_terms_of_the_note() -> None:
    assert "快讯" in story_features("【快讯】", TEXT).title_terms.values()


def test_words_count_by_their_stems_and_rare_ones_more_than_common_ones() -> None:
    assert story_features("walnuts", "").vector.keys() == story_features("walnut", "").vector.keys()
    for word in ("glass", "sing", "étoiles"):
        assert len(story_features(word, "").vector) == 1
        assert story_features(word, "").vector.keys() != story_features(word[:-1], "").vector.keys()
    assert weight_of("the") < weight_of("market") < weight_of("walnut")
    assert weight_of("公司") < weight_of("鹭湖")


def test_a_huge_text_costs_no_more_than_its_beginning() -> None:
    huge = story_features("t" * 10_000, "walnut " * 1_000_000)
    assert len(huge.runs) < 500
    assert len(huge.title) == 300
