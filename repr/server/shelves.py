"""The products: browse, describe, remove, and their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.convertors import PathConvertor, register_url_convertor

from repr.catalog.names import normal
from repr.embedding.embeddings import NoneReadable
from repr.errors import UserError
from repr.lookup import products
from repr.lookup.store import Product
from repr.server import models
from repr.server.answers import documented, errors
from repr.server.keys import reader, writer
from repr.server.photographs import JSON, Photograph, body, checked_texts, described, photographs, refuse_all_bad
from repr.server.problems import Problem
from repr.server.renditions import LARGEST, SMALLEST, rendition, tag_of
from repr.server.service import Served, Service


class _Text(PathConvertor):
    """Any text in a path: Starlette's own stops where a line ends, so that such an id was no path at all, and not told to be a bad one."""

    regex = "(?s:.*)"


register_url_convertor("text", _Text())
router = APIRouter()
READ, WRITE = [Depends(reader)], [Depends(writer)]
WROTE = (403, 507)
LABELS: Mapping[str, object] = models.Labelled.model_json_schema()["properties"]
Id = Annotated[str, Path(description="The product's id; slashes as %2F.")]
ImageId = Annotated[int, Path(ge=1, le=2**63 - 1)]
ASK_AGAIN = "private, no-cache"  # kept, but asked about: in an index that was made anew an id is another image


@router.get("/v1/products", response_model=models.Products, responses=errors(), dependencies=READ, summary="Browse and search products")
async def browse(
    service: Served,
    q: Annotated[str, Query(max_length=200, description="Text in id, name, barcode or category.")] = "",
    start: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Products in the order of their ids, a page at a time."""
    page = await service.read(lambda: products.page(service.index.store, q, start=start, most=limit))
    after = start + len(page.products)
    listed = [{**_described(one.product), "images": one.images, "cover": one.cover} for one in page.products]
    return documented({"products": listed, "total": page.total, "next": after if page.products and after < page.total else None})


@router.get("/v1/products/{id:text}", response_model=models.Product, responses=errors(404), dependencies=READ, summary="One product")
async def get_product(service: Served, id: Id) -> Response:
    """What is known of a product, and its images."""
    return await _product(service, id)


@router.put(
    "/v1/products/{id:text}",
    response_model=models.Product,
    responses={201: {"model": models.Product, "description": "It is new"}, **errors(415, *WROTE)},
    dependencies=WRITE,
    openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": models.Described.model_json_schema()}}}},
    summary="Describe a product, or make a new one",
)
async def put_product(request: Request, service: Served, id: Id) -> Response:
    """Set name, barcode and category; what is left out is forgotten. A product without an image is found by nobody."""
    id, given = checked(id), await described(request, models.Described)
    created = await service.write(
        lambda: products.describe(service.index.store, Product(id, given.name, given.barcode, tuple(given.category)))
    )
    return await _product(service, id, 201 if created else 200)


@router.delete("/v1/products/{id:text}", response_model=models.Removed, responses=errors(404, *WROTE), dependencies=WRITE)
async def delete_product(service: Served, id: Id) -> Response:
    """Take a product out, with its images."""
    entry = await service.read(lambda: products.one(service.index.store, id))
    if entry is None:
        raise unknown(id)
    return documented({"removed": await service.write(lambda: service.index.remove([entry[0].id]))})


@router.post(
    "/v1/products/{id:text}/images",
    status_code=201,
    response_model=models.Added,
    responses={200: {"model": models.Added, "description": "All of them were there"}, **errors(415, *WROTE)},
    dependencies=WRITE,
    openapi_extra=body(LABELS),
    summary="Store photographs of a product",
)
async def add_images(request: Request, service: Served, id: Id) -> Response:
    """Store photographs of a product, which need not be there yet. Bad ones are left out; answered when the others are on disk."""
    id = checked(id)
    given, texts = await photographs(request, service.limits, LABELS)
    labels = checked_texts(models.Labelled, texts)
    refuse_all_bad([one.wrong for one in given])
    try:
        created, results = await service.write(lambda: _added(service, id, given, labels))
    except NoneReadable as error:
        raise Problem(422, "broken-image", error.quarantine[0].reason, "Send an image that can be read") from None
    service.settle()
    new = any(one["status"] == 201 for one in results)
    return documented({"product": normal(id), "created": created, "results": results}, 201 if new else 200)


def _added(service: Service, id: str, given: Sequence[Photograph], labels: models.Labelled) -> tuple[bool, list[dict[str, object]]]:
    """Add the good ones; returns whether the product is new, and what became of each. In the thread that writes: nobody comes between."""
    store, good = service.index.store, [one.data for one in given if one.wrong is None]
    before = products.one(store, id)
    service.index.add(id, good, name=labels.name, barcode=labels.barcode, settle=False)
    after = products.one(store, id)
    known = {image.content for image in before[1]} if before else set()
    return before is None, _stored(given, known, {image.content: image.id for image in after[1]} if after else {})


def _stored(given: Sequence[Photograph], known: set[bytes], stored: dict[bytes, int]) -> list[dict[str, object]]:
    """What became of each photograph. known: contents that were there before; stored: ids by the contents that are there now."""
    results = list[dict[str, object]]()
    for photograph in given:
        content = sha256(photograph.data).digest()
        if photograph.wrong is not None:
            status, error = photograph.wrong.status, photograph.wrong.detail
        elif content not in stored:
            status, error = 422, "cannot be read"
        else:
            status, error = (200 if content in known else 201), ""
        one: dict[str, object] = {"query": photograph.name, "status": status, "image_id": stored.get(content)}
        results.append({**one, "error": error} if error else one)
    return results


@router.get(
    "/v1/images/{id}",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "It is the one that If-None-Match names"},
        **errors(404),
    },
    dependencies=READ,
    summary="A stored image, as JPEG",
)
async def get_image(request: Request, service: Served, id: ImageId, size: Annotated[int, Query(ge=SMALLEST, le=LARGEST)] = 512) -> Response:
    """The image upright and cut to its product, no larger than `size` pixels a side, without what the camera wrote beside it."""
    tag = await service.read(lambda: tag_of(service.index, id, size))
    headers = {"Cache-Control": ASK_AGAIN, "ETag": tag}
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    data = await service.read(lambda: rendition(service.index, id, size))
    return Response(data, media_type="image/jpeg", headers=headers)


@router.delete("/v1/images/{id}", response_model=models.Removed, responses=errors(404, *WROTE), dependencies=WRITE)
async def delete_image(service: Served, id: ImageId) -> Response:
    """Take one image out of the index; its product stays."""
    removed = await service.write(lambda: products.remove_images(service.index.store, [id]))
    if not removed:
        raise Problem(404, "unknown-image", f"no image {id}", "See the images of its product")
    return documented({"removed": removed})


async def _product(service: Service, id: str, status: int = 200) -> Response:
    entry = await service.read(lambda: products.one(service.index.store, id))
    if entry is None:
        raise unknown(id)
    product, images = entry
    return documented({**_described(product), "images": [image.id for image in images]}, status)


def _described(product: Product) -> dict[str, object]:
    return {"id": product.id, "name": product.name, "barcode": product.barcode, "category": list(product.category)}


def unknown(id: str) -> Problem:
    """There is no such product."""
    return Problem(404, "unknown-product", f"no product {id[:100]!r}", "See GET /v1/products for those that there are")


def checked(id: str) -> str:
    """An id for a product that may be new. Raises Problem as `products.checked_id`."""
    try:
        return products.checked_id(id)
    except UserError as error:
        raise Problem(422, "bad-id", error.message, error.remedy) from None
