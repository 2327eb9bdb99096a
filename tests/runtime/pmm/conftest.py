"""Servers for storages that are reached over a network."""

from __future__ import annotations

from servers import redis_server, web

__all__ = ["redis_server", "web"]
