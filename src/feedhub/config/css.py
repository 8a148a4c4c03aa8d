"""CSS selectors of a configuration. What reads them is imported with the first one: most configurations have none."""


def check_element(text: str) -> None:
    """Accept a selector of elements.

    Raises:
        ValueError: one readable line saying what is wrong with it.
    """
    from feedhub.rules.selectors import check_element_selector

    check_element_selector(text)


def check_field(text: str) -> None:
    """Accept the selector of a field, which also says what is taken of an element.

    Raises:
        ValueError: one readable line saying what is wrong with it.
    """
    from feedhub.rules.selectors import check_selector

    check_selector(text)
