"""What every study must satisfy, as checks that say what is wrong and what would be right.

Each check is a function of a `Study` and raises `CheckError`; the first line of its docstring is the promise that it
holds. They see a study as its readers do (spec, profiles, settings, ``run``, claims), on the smoke profile, so that one
study takes a few seconds. The package stands above the studies, which it runs, and below the results, of which it knows
nothing: a study must be sound before anything is stored or judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from genbook.contract import claims, runs, specs, tables
from genbook.contract.errors import CheckError, NotApplicableError
from genbook.studies import Study

__all__ = ["CHECKS", "CheckError", "NotApplicableError", "check", "promise"]

#: By name, every check, what is cheap and what explains later failures first.
CHECKS: dict[str, Callable[[Study], None]] = {
    function.__name__: function
    for function in (
        specs.unknown_names_are_refused,
        specs.wrong_types_are_refused,
        specs.bounds_are_kept,
        specs.parameters_are_documented,
        specs.profiles_have_all_settings,
        specs.accepted_specs_have_all_settings,
        claims.claims_are_complete,
        tables.columns_are_documented,
        tables.quantities_are_documented,
        tables.rows_are_unique,
        tables.seeds_are_complete,
        tables.seeds_are_independent,
        tables.seeds_differ,
        tables.values_are_finite_or_documented,
        tables.test_quantities_are_their_own,
        claims.statistics_have_a_value_per_seed,
        claims.statistics_ignore_the_order_of_rows,
        claims.preconditions_have_a_value_per_seed,
        runs.test_sets_are_held_out,
        runs.global_state_is_left_alone,
        runs.code_hash_counts_what_runs,
        runs.resumed_equals_undisturbed,
    )
}


def promise(check: Callable[[Study], None]) -> str:
    """What ``check`` holds, in one line."""
    return (check.__doc__ or "").strip().splitlines()[0].rstrip(".")


def check(study: Study) -> Iterator[tuple[str, Exception | None]]:
    """For each check in turn its promise, and what it raised: None, `NotApplicableError`, or what is wrong."""
    for function in CHECKS.values():
        try:
            function(study)
        except Exception as error:
            yield promise(function), error
        else:
            yield promise(function), None
