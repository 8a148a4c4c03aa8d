"""The YAML of ``rules:`` (SPEC §5)."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from feedhub.config.forms import CategoryNames, Flag, Form, Line, Names, PatternText, Text, one_or_many
from feedhub.config.schema_base import Section
from feedhub.rules.patterns import compile_pattern


class ConditionSection(Section):
    """When a rule applies. Several keys in one mapping must all hold."""

    all: "list[ConditionSection] | None" = Field(default=None, min_length=1, description="Every one of these holds.")
    any: "list[ConditionSection] | None" = Field(default=None, min_length=1, description="At least one of these holds.")
    not_: "ConditionSection | None" = Field(default=None, alias="not", description="This does not hold.")
    title: PatternText | None = Field(default=None, description="Found in the title.", examples=["芯片|半导体"])
    content: PatternText | None = Field(default=None, description="Found in the text of the content.")
    summary: PatternText | None = Field(default=None, description="Found in the text of the summary.")
    author: PatternText | None = Field(default=None, description="Found in the name of an author.")
    link: PatternText | None = Field(default=None, description="Found in the address of the article.")
    source: Names | None = Field(
        default=None, description="Name of the source; `*` and `?` stand for any.", examples=["blog-*"]
    )
    tags: Names | None = Field(default=None, description="One of these labels was given by the publisher, in any case.")
    category: Names | None = Field(default=None, description="One of these categories holds the item so far.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError('needs at least one condition; {source: "*"} holds for every item')
        return self


class ReplaceSection(Section):
    """Puts other text for every match of a pattern."""

    field: Literal["title", "content", "summary", "author", "link"] = Field(description="Which text is changed.")
    pattern: PatternText = Field(description="What is replaced, wherever it is found.", examples=["^【[^】]*】"])
    with_: Text = Field(
        default="", alias="with", description=r"What is put there; `\1` and `\g<name>` stand for groups."
    )

    @model_validator(mode="after")
    def _groups_exist(self) -> Self:
        compile_pattern(self.pattern).check_replacement(self.with_)
        return self


Replacements = Annotated[list[ReplaceSection], BeforeValidator(one_or_many), Form("mapping, or a list of mappings")]


class ActionSection(Section):
    """What a rule does with an item."""

    drop: Flag = Field(default=False, description="Leaves the item out; `feedhub explain` names the rule.")
    category: CategoryNames = Field(default=[], description="Files it under these as well.", examples=[["chips"]])
    tag: Names = Field(default=[], description="Adds these labels.", examples=[["芯片"]])
    replace: Replacements = Field(default=[], description="Changes its text.")
    stop: Flag = Field(default=False, description="No later rule is asked.")

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.drop or self.category or self.tag or self.replace or self.stop):
            raise ValueError("needs something to do: drop, category, tag, replace or stop")
        return self


class RuleSection(Section):
    """One rule; rules run in the order they are written."""

    name: Line = Field(description="Unique name; `feedhub explain` shows it.", examples=["no advertising"])
    when: ConditionSection = Field(description="When it applies.", examples=[{"title": "广告|推广"}])
    then: ActionSection = Field(description="What it does.", examples=[{"drop": True}])
