# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic"]
# ///
from datetime import date
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, ValidationError, computed_field, create_model,
    model_validator, validate_call,
)  # fmt: skip

T = TypeVar("T")


class Part(BaseModel):
    name: str = Field(min_length=2)
    made: date


class Whole(BaseModel):
    parts: list[Part]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(9, le=9)


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["dog"]
    name: Annotated[str, AfterValidator(str.title)]

    @computed_field
    @property
    def bark(self) -> str:
        return f"{self.name}!"

    @model_validator(mode="after")
    def has_a_name(self):
        if self.name == "Nobody":
            raise ValueError("a dog has a name")
        return self


class Home(BaseModel, Generic[T]):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]
    place: T


def main():
    home = Home[dict[str, Decimal]].model_validate({"pets": [{"kind": "dog", "name": "rex"}, {"kind": "cat"}], "place": {"x": "1.50"}})
    print(home, home.model_dump(mode="json", exclude_defaults=True), home.model_copy(update={"place": {}}))
    print(Home[int].model_json_schema())
    for wrong in ({"pets": [{"kind": "dog", "name": "nobody"}], "place": 1}, {"pets": [{"kind": "cow"}], "place": "x"}):
        try:
            Home[int].model_validate(wrong)
        except ValidationError as error:
            print(error.json(include_url=False))
    print(create_model("Made", a=(int, 1))(a="5"), validate_call(lambda a: a)(3), TypeAdapter(HttpUrl).validate_python("http://a.example/b"))
    whole = Whole.model_validate_json('{"parts": [{"name": "ab", "made": "2024-02-29"}]}')
    print(whole, whole.model_dump_json(), TypeAdapter(list[int]).validate_python(["1", 2]))
    try:
        Whole.model_validate({"parts": [{"name": "a", "made": "x"}]})
    except ValidationError as error:
        print(error)


if __name__ == "__main__":
    main()
