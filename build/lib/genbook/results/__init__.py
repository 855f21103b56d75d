"""Tables and verdicts for readers: what a notebook (`genbook.results.chapter`) and the command line call."""

from genbook.results.compute import obtain
from genbook.results.published import publish
from genbook.results.requests import Request, requests
from genbook.results.table import Table
from genbook.results.verdicts import Row, evaluate

__all__ = ["Request", "Row", "Table", "evaluate", "obtain", "publish", "requests"]
