# /// script
# requires-python = ">=3.11"
# dependencies = ["pydantic"]
# ///
from datetime import date

from pydantic import BaseModel, Field, TypeAdapter, ValidationError


class Part(BaseModel):
    name: str = Field(min_length=2)
    made: date


class Whole(BaseModel):
    parts: list[Part]


if __name__ == "__main__":
    whole = Whole.model_validate_json('{"parts": [{"name": "ab", "made": "2024-02-29"}]}')
    print(whole, whole.model_dump_json(), TypeAdapter(list[int]).validate_python(["1", 2]))
    try:
        Whole.model_validate({"parts": [{"name": "a", "made": "x"}]})
    except ValidationError as error:
        print(error)
