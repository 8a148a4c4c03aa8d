"""Languages and directions of texts, by what is said of them and by their letters."""

import pytest

from feedhub.rules.language import direction_of, direction_of_language, language_by_letters

ARABIC, HEBREW = "مرحبا بالعالم", "שלום עולם"
PERSIAN, URDU, PASHTO, SORANI, UYGHUR = "گزارش تازه از پکن", "یہ خبر ہے", "ښه ورځ", "هەواڵی نوێ", "ئۇيغۇرچە خەۋەر"


@pytest.mark.parametrize(
    ("tag", "direction"),
    [
        ("he", "rtl"),
        ("iw", "rtl"),
        ("ar-EG", "rtl"),
        ("fa_IR", "rtl"),
        ("UR", "rtl"),
        ("dv", "rtl"),
        ("en", "ltr"),
        ("ku", "ltr"),
        ("ku-Arab", "rtl"),
        ("az-Arab-IR", "rtl"),
        ("ar-Latn", "ltr"),
        ("pa", "ltr"),
        ("pa-Arab", "rtl"),
        ("zh-TW", "ltr"),
        ("", "ltr"),
        (None, "ltr"),
    ],
)
def test_the_script_of_a_language_says_its_direction(tag: str | None, direction: str) -> None:
    assert direction_of_language(tag) == direction


@pytest.mark.parametrize(
    ("text", "language", "direction"),
    [
        ("Good morning", None, "ltr"),
        ("Good morning", "he", "ltr"),
        (ARABIC, None, "rtl"),
        (ARABIC, "en", "rtl"),
        (HEBREW, "en-US", "rtl"),
        (PERSIAN, None, "rtl"),
        (URDU, None, "rtl"),
        (f"iPhone {HEBREW}", None, "rtl"),
        ("iPhone 17 Pro Max: חדש", None, "ltr"),
        ("iPhone 17 Pro Max: חדש", "he", "rtl"),
        ("The word שלום means peace", None, "ltr"),
        ("2024/25", "ar", "rtl"),
        ("2024/25", None, "ltr"),
        ("", "ar", "rtl"),
        ("云汐央行", None, "ltr"),
        ("½ ש", None, "rtl"),
        ("ދިވެހި", None, "rtl"),
        ("x" * 2_000 + HEBREW * 1_000, None, "ltr"),
    ],
)
def test_letters_say_the_direction_of_a_text_and_its_language_helps_where_they_are_mixed(
    text: str, language: str | None, direction: str
) -> None:
    assert direction_of(text, language) == direction


@pytest.mark.parametrize(
    ("around", "text", "declared", "marked"),
    [
        # what is declared, unless the script says otherwise
        ("en", "云汐央行", "zh-TW", "zh-TW"),
        ("en", "Bonjour", "fr", "fr"),
        ("en", "Good morning", "en", None),
        ("en", HEBREW, "en", "he"),
        ("en", ARABIC, "en-US", "ar"),
        ("en", "云汐央行", "en-US", "zh"),
        ("en", "鮮の味", "zh-TW", "zh-TW"),
        ("en", ARABIC, "fa", "fa"),
        ("en", URDU, "sd", "sd"),
        ("he", "Good morning", "he", "en"),
        ("zh-CN", "It’s time", "zh-CN", "en"),
        ("zh-CN", "NVIDIA GPU 发布", "zh-CN", None),
        ("en", HEBREW, "yi", "yi"),
        ("en", HEBREW, "lad-Hebr", "lad-Hebr"),
        ("en", "Ni hao", "zh-Latn", "zh-Latn"),
        # what is not, by the script
        ("en", "云汐央行", None, "zh"),
        ("en", "ひらがなと漢字", None, "ja"),
        ("en", "한국어", None, "ko"),
        ("en", HEBREW, None, "he"),
        ("en", ARABIC, None, "ar"),
        ("en", PERSIAN, None, "fa"),
        ("en", URDU, None, "ur"),
        ("en", PASHTO, None, "ps"),
        ("en", SORANI, None, "ckb"),
        ("en", UYGHUR, None, "ug"),
        ("en", "A word like 你好 in a long English sentence", None, None),
        ("de", "Grüße", None, None),
        ("en", "Привет", None, None),
        # in a page of another script
        ("zh-CN", "云汐央行", None, None),
        ("zh-CN", "English", None, "en"),
        ("zh-CN", "It’s “time” — now", None, "en"),
        ("zh-CN", "Grüße", None, ""),
        ("zh-CN", "2024", None, None),
        ("zh-CN", "ひらがなと漢字", None, "ja"),
        ("ja", "漢字", None, None),
        ("ko", "漢字", None, "zh"),
        ("he", HEBREW, None, None),
        ("he", ARABIC, None, "ar"),
        ("ar", PERSIAN, None, "fa"),
        ("fa", ARABIC, None, None),
        ("ar", "Good morning", None, "en"),
    ],
)
def test_a_text_is_marked_with_its_language_where_that_is_not_the_one_around(
    around: str, text: str, declared: str | None, marked: str | None
) -> None:
    assert language_by_letters(text, declared, around) == marked
