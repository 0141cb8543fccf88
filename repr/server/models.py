"""The answers of the service as its schema has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from repr.lookup.products import LONGEST

Text = Annotated[str, StringConstraints(max_length=LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Named(BaseModel):
    """A product that was found, as `repr lookup --json` has it."""

    product: str
    name: str | None
    barcode: str | None
    category: list[str]
    probability: float | None
    score: float
    image: str


class Match(Named):
    """The same in an answer to a lookup. image_id: of its nearest image, for GET /v1/images/{id}."""

    image_id: int | None


class Result(BaseModel):
    """The answer to one photograph. status: as if it had been sent alone; error: only where there is one."""

    query: str
    status: int
    unknown: bool | None
    matches: list[Match]
    error: str | None = None


class Lookup(BaseModel):
    """The answers, in the order of the photographs."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)
    schema_: int = Field(alias="schema")
    results: list[Result]
    synthetic: bool
    passed_over: list[str]


class Item(BaseModel):
    """A box on a counter, x, y, width, height in pixels of the upright photograph; score: how surely it is one product."""

    box: list[float]
    score: float
    unknown: bool
    matches: list[Named]


class Line(BaseModel):
    """How many of one product."""

    product: str
    name: str | None
    barcode: str | None
    count: int


class Counter(BaseModel):
    """A counter: the list, how many are unknown, and the boxes; error: only where the photograph cannot be read."""

    query: str
    width: int = 0
    height: int = 0
    basket: list[Line] = []
    unknown: int = 0
    items: list[Item] = []
    error: str | None = None


class Checkout(BaseModel):
    """The counters, in the order of the photographs."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)
    schema_: int = Field(alias="schema")
    results: list[Counter]
    synthetic: bool


class Finding(BaseModel):
    """What is odd about a photograph that is to be stored."""

    kind: Literal["unreadable", "blurred", "empty", "doubled", "resembles"]
    text: str
    product: str | None
    image_id: int | None
    score: float | None


class Checked(BaseModel):
    """What is odd about one photograph; nothing, for most."""

    query: str
    findings: list[Finding]


class Checks(BaseModel):
    """What is odd about each photograph, in their order."""

    schema_: int = Field(alias="schema")
    results: list[Checked]


class Labelled(BaseModel):
    """What may be said of a product beside its photographs."""

    model_config = ConfigDict(extra="forbid")
    name: Text | None = None
    barcode: Text | None = None


class Described(Labelled):
    """What is known of a product. What is left out is forgotten."""

    category: list[Text] = Field(default=[], max_length=20, description="Names from the top down.")


class Listed(BaseModel):
    """A product in a list. images: how many; cover: the id of the first, None where there is none."""

    id: str
    name: str | None
    barcode: str | None
    category: list[str]
    images: int
    cover: int | None


class Products(BaseModel):
    """A page of products. total: on all pages; next: where the next page starts, None on the last."""

    schema_: int = Field(alias="schema")
    products: list[Listed]
    total: int
    next: int | None


class Product(BaseModel):
    """A product. images: their ids, for GET /v1/images/{id}."""

    schema_: int = Field(alias="schema")
    id: str
    name: str | None
    barcode: str | None
    category: list[str]
    images: list[int]


class Stored(BaseModel):
    """What became of one photograph. status: 201 stored, 200 was there, 4xx not taken; image_id: of the stored image."""

    query: str
    status: int
    image_id: int | None
    error: str | None = None


class Added(BaseModel):
    """What became of photographs of a product. created: whether the product is new."""

    schema_: int = Field(alias="schema")
    product: str
    created: bool
    results: list[Stored]


class Removed(BaseModel):
    """How many images went."""

    schema_: int = Field(alias="schema")
    removed: int


class Shop(BaseModel):
    """What the index holds. writable: whether the service takes changes, with the write key."""

    schema_: int = Field(alias="schema")
    products: int
    images: int
    weights: str
    synthetic: bool
    revision: int
    writable: bool


class Doubt(BaseModel):
    """A lookup that a person should look at. at: when, UTC; result: what was answered."""

    id: int
    at: str
    reason: Literal["unknown", "doubtful"]
    result: Result


class Doubts(BaseModel):
    """Lookups to be looked at, the newest first. total: how many there are."""

    schema_: int = Field(alias="schema")
    reviews: list[Doubt]
    total: int


class Point(BaseModel):
    """An image on the map, in the plane from -1 to 1."""

    x: float
    y: float
    product: str
    name: str | None
    group: str
    image_id: int


class Map(BaseModel):
    """The embedding in the plane: like images are near. made: how."""

    schema_: int = Field(alias="schema")
    made: str
    points: list[Point]
    images: int


class Health(BaseModel):
    """Alive, or ready."""

    status: Literal["alive", "ready"]
