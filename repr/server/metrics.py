"""Counts and times for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


class Metrics:
    """What a service counts, in a registry of its own."""

    def __init__(self) -> None:
        kept = self.registry = CollectorRegistry()
        ProcessCollector(registry=kept)  # memory and open files
        self.requests = Counter("repr_requests_total", "Requests answered", ["route", "method", "status"], registry=kept)
        self.working = Gauge("repr_requests_in_work", "Requests that are being answered", registry=kept)
        self.seconds = Histogram("repr_request_seconds", "Time to answer", ["route"], buckets=SECONDS, registry=kept)
        self.photographs = Counter("repr_photographs_total", "Photographs looked up", ["outcome"], registry=kept)
        self.batch = Histogram("repr_batch_photographs", "Photographs a forward pass", buckets=SIZES, registry=kept)
        self.waiting = Gauge("repr_waiting_photographs", "Photographs in the queue", registry=kept)
        self.products = Gauge("repr_products", "Products in the index", registry=kept)
        self.images = Gauge("repr_images", "Images in the index", registry=kept)


class Measured:
    """ASGI middleware that counts requests and their times by route, never by what callers make up."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500
        self.metrics.working.inc()

        async def _send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, _send)
        finally:
            self.metrics.working.dec()
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(route, method, str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - begun)
