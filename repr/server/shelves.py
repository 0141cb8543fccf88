"""The products: browse, describe, remove, and their images."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from repr.catalog.names import normal
from repr.embedding.embeddings import NoneReadable
from repr.lookup import products
from repr.lookup.store import Product
from repr.server import models
from repr.server.answers import documented, errors
from repr.server.keys import reader, writer
from repr.server.photographs import BODY, Photograph, photographs, refuse_all_bad
from repr.server.problems import Problem
from repr.server.renditions import LARGEST, SMALLEST, rendition
from repr.server.service import Served, Service

router = APIRouter()
READ, WRITE = [Depends(reader)], [Depends(writer)]
WROTE = (403, 507)
Id = Annotated[str, Path(description="The product's id; slashes as %2F.")]
ImageId = Annotated[int, Path(ge=1, le=2**63 - 1)]
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # an id never stands for another image


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


@router.get("/v1/products/{id:path}", response_model=models.Product, responses=errors(404), dependencies=READ, summary="One product")
async def get_product(service: Served, id: Id) -> Response:
    """What is known of a product, and its images."""
    return await _product(service, id)


@router.put(
    "/v1/products/{id:path}",
    response_model=models.Product,
    responses={201: {"model": models.Product, "description": "It is new"}, **errors(*WROTE)},
    dependencies=WRITE,
    summary="Describe a product, or make a new one",
)
async def put_product(service: Served, id: Id, given: models.Described) -> Response:
    """Set name, barcode and category; what is left out is forgotten. A product without an image is found by nobody."""
    id = checked(id)
    created = await service.write(
        lambda: products.describe(service.index.store, Product(id, given.name, given.barcode, tuple(given.category)))
    )
    return await _product(service, id, 201 if created else 200)


@router.delete("/v1/products/{id:path}", response_model=models.Removed, responses=errors(404, *WROTE), dependencies=WRITE)
async def delete_product(service: Served, id: Id) -> Response:
    """Take a product out, with its images."""
    found = await service.read(lambda: products.one(service.index.store, id))
    if found is None:
        raise unknown(id)
    return documented({"removed": await service.write(lambda: service.index.remove([found[0].id]))})


@router.post(
    "/v1/products/{id:path}/images",
    status_code=201,
    response_model=models.Added,
    responses={200: {"model": models.Added, "description": "All of them were there"}, **errors(415, *WROTE)},
    dependencies=WRITE,
    openapi_extra=BODY,
    summary="Store photographs of a product",
)
async def add_images(request: Request, service: Served, id: Id) -> Response:
    """Store photographs of a product, which need not be there yet. Bad ones are left out; answered when the others are on disk."""
    id = checked(id)
    given, texts = await photographs(request, service.limits)
    refuse_all_bad([one.wrong for one in given])
    good = [one.data for one in given if one.wrong is None]
    before = await service.read(lambda: products.one(service.index.store, id))
    known = {image.content for image in before[1]} if before else set()
    name, barcode = texts.get("name") or None, texts.get("barcode") or None
    try:
        await service.write(lambda: service.index.add(id, good, name=name, barcode=barcode, settle=False))
    except NoneReadable as error:
        raise Problem(422, "broken-image", error.quarantine[0].reason, "Send an image that can be read") from None
    service.settle()
    after = await service.read(lambda: products.one(service.index.store, id))
    stored = {image.content: image.id for image in after[1]} if after else {}
    results = _stored(given, known, stored)
    new = any(one["status"] == 201 for one in results)
    return documented({"product": normal(id), "created": before is None, "results": results}, 201 if new else 200)


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
    responses={200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}, **errors(404)},
    dependencies=READ,
    summary="A stored image, as JPEG",
)
async def get_image(service: Served, id: ImageId, size: Annotated[int, Query(ge=SMALLEST, le=LARGEST)] = 512) -> Response:
    """The image upright and cut to its product, no larger than `size` pixels a side, without what the camera wrote beside it."""
    data = await service.read(lambda: rendition(service.index, id, size))
    return Response(data, media_type="image/jpeg", headers=FOR_EVER)


@router.delete("/v1/images/{id}", response_model=models.Removed, responses=errors(404, *WROTE), dependencies=WRITE)
async def delete_image(service: Served, id: ImageId) -> Response:
    """Take one image out of the index; its product stays."""
    removed = await service.write(lambda: products.remove_images(service.index.store, [id]))
    if not removed:
        raise Problem(404, "unknown-image", f"no image {id}", "See the images of its product")
    return documented({"removed": removed})


async def _product(service: Service, id: str, status: int = 200) -> Response:
    found = await service.read(lambda: products.one(service.index.store, id))
    if found is None:
        raise unknown(id)
    product, images = found
    return documented({**_described(product), "images": [image.id for image in images]}, status)


def _described(product: Product) -> dict[str, object]:
    return {"id": product.id, "name": product.name, "barcode": product.barcode, "category": list(product.category)}


def unknown(id: str) -> Problem:
    """There is no such product."""
    return Problem(404, "unknown-product", f"no product {id[:100]!r}", "See GET /v1/products for those that there are")


def checked(id: str) -> str:
    """An id for a product that may be new. Raises Problem for none, one that is too long, and one that no terminal shows."""
    if not normal(id):
        raise Problem(422, "no-id", "a product without an id", "Give it one")
    if len(id) > models.LONGEST:
        raise Problem(422, "long-id", f"an id of {len(id):,} characters", f"Give it one of up to {models.LONGEST:,}")
    if any(ord(sign) < 32 or ord(sign) == 127 or 0xD800 <= ord(sign) < 0xE000 for sign in id):
        raise Problem(422, "bad-id", "an id with control characters", "Give it one of letters, digits and signs")
    return id
