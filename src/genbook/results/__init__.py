"""Tables and verdicts for readers: what a notebook (`genbook.results.chapter`) and the command line call."""

from genbook.results.requests import Request, requests
from genbook.results.tables import Table, obtain, publish
from genbook.results.verdicts import Row, evaluate

__all__ = ["Request", "Row", "Table", "evaluate", "obtain", "publish", "requests"]
