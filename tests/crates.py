"""RO-Crates held to a profile by its own validator, without a network: the contexts are those of ``tests/contexts``."""

import warnings
from pathlib import Path

from requests_cache import CachedRequest, CachedResponse, CachedSession

CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": "ro-crate-1.1.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": "workflow-run.jsonld",
}
#: As the validator asks for them; its cache tells answers apart by it.
_ACCEPT = {"Accept": "application/ld+json, application/json, */*;q=0.1"}


def broken_rules(crate, cache, profile="process-run-crate"):
    """What the folder ``crate`` breaks of what the profile and the base specification require, in words.

    ``cache``: a path for the validator's answers of the network; all that it may ask for is put there.
    """
    from rocrate_validator import services

    with CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
        for address, file in CONTEXTS.items():
            session.cache.save_response(_answer(address, Path(__file__).with_name("contexts") / file))
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=profile,
        requirement_severity="REQUIRED",
        offline=True,
        cache_path=str(cache),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the validator's use of rdflib
        found = services.validate(settings).get_issues()
    return [f"{issue.check.identifier}: {issue.message}" for issue in found]


def _answer(address, file):
    asked = CachedRequest(method="GET", url=address, headers=_ACCEPT)
    headers = {"Content-Type": "application/ld+json"}
    return CachedResponse(url=address, status_code=200, headers=headers, content=file.read_bytes(), request=asked)
