"""Checks of the smoke tables: documented, without doubles, complete, independent over seeds."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from genbook.contract.errors import CheckError, NotApplicableError, few, require
from genbook.contract.smoke import smoke
from genbook.results.requests import Setting
from genbook.studies import Study

#: Where a run stands in its training: columns in which the rows of two seeds may differ, as one may stop earlier.
PROGRESS = ("step", "epoch", "time")
#: Equality up to the order of floating-point sums: what the engine promises in float32.
RTOL, ATOL = 1e-5, 1e-6
#: Words with which the meaning of a quantity says that a value may be missing.
_MISSING = re.compile(r"missing|censored|undefined|\bNaN\b", re.IGNORECASE)
_FAMILY = re.compile(r"\bk\b")


def columns_are_documented(study: Study) -> None:
    """Every column of the tables is documented, and every documented column is there."""
    for name, table in smoke(study).tables().items():
        found, documented = set(table.columns), set(study.columns)
        require(
            found <= documented,
            f"{study.name}, setting {name!r}: columns without a meaning: {few(sorted(found - documented))}; "
            "say in the study's `columns` what each means and in which unit, or drop it from the table",
        )
        require(
            documented <= found,
            f"{study.name}, setting {name!r}: documented columns that are not in the table: "
            f"{few(sorted(documented - found))}; return them, or take them out of `columns`",
        )
        needed = {"seed", "quantity", "value"}
        require(needed <= found, f"{study.name}: a tidy table has the columns seed, quantity and value; got {found}")
        require(
            pd.api.types.is_integer_dtype(table["seed"]) and pd.api.types.is_float_dtype(table["value"]),
            f"{study.name}, setting {name!r}: seeds are whole numbers and values floating-point numbers; got "
            f"{table['seed'].dtype} and {table['value'].dtype}",
        )


def quantities_are_documented(study: Study) -> None:
    """Every quantity of the tables is documented, and every documented one occurs in some setting.

    A documented name with the word k stands for a family, a number in place of k ('right in k': 'right in 3').
    """
    found = {str(q) for table in smoke(study).tables().values() for q in table["quantity"].unique()}
    names = {name: re.compile(_FAMILY.sub(r"\\d+", re.escape(name))) for name in study.quantities}
    unknown = sorted(q for q in found if not any(pattern.fullmatch(q) for pattern in names.values()))
    require(
        not unknown,
        f"{study.name}: quantities without a meaning: {few(unknown)}; say in the study's `quantities` what each "
        "measures and in which unit, or drop it from the table",
    )
    absent = sorted(name for name, pattern in names.items() if not any(map(pattern.fullmatch, found)))
    require(
        not absent,
        f"{study.name}: documented quantities that are in no smoke table: {few(absent)}; let the smoke profile "
        "measure them too, or take them out of `quantities`",
    )


def rows_are_unique(study: Study) -> None:
    """No two rows of a table have the same seed, condition, step and quantity."""
    for name, table in smoke(study).tables().items():
        keys = [column for column in table.columns if column != "value"]
        doubles = table[table.duplicated(keys, keep=False)]
        require(
            doubles.empty,
            f"{study.name}, setting {name!r}: {len(doubles)} rows differ from another in their value at most, such as "
            f"{dict(doubles.iloc[0]) if len(doubles) else ''}; measure each once, or tell them apart by a column",
        )


def seeds_are_complete(study: Study) -> None:
    """Each seed that was asked for has rows, of the same conditions and quantities as the others."""
    for setting, table in _with_tables(study):
        require(
            set(table["seed"]) == set(setting.seeds),
            f"{study.name}, setting {setting.name!r}: asked for the seeds {list(setting.seeds)}, the table has "
            f"{sorted(set(table['seed']))}; return rows for each seed and no other",
        )
        apart = ("seed", "value", *PROGRESS, *study.drawn)
        columns = [column for column in table.columns if column not in apart]
        rows = {seed: _keys(part, columns) for seed, part in table.groupby("seed")}
        for seed, found in rows.items():
            first = rows[setting.seeds[0]]
            require(
                found == first,
                f"{study.name}, setting {setting.name!r}: seed {seed} and seed {setting.seeds[0]} have rows of "
                f"different {columns}: {few(sorted(found ^ first, key=str))} in one only; return a row for each, with "
                "NaN where a value could not be measured",
            )


def seeds_are_independent(study: Study) -> None:
    """A seed's rows are the same whether it is computed alone or with others."""
    together, alone = smoke(study).table(), smoke(study).alone
    seed = smoke(study).seeds[-1]
    difference = differing(together[together["seed"] == seed], alone)
    require(
        difference is None,
        f"{study.name}: computed alone, seed {seed} has {difference}; draw everything that is random from "
        "genbook.base.seeding.generator(seed, purpose), and choose nothing by looking at other seeds",
    )


def seeds_differ(study: Study) -> None:
    """What a seed draws changes the table: two seeds do not have all values in common."""
    table = smoke(study).table()
    first, second = (table[table["seed"] == seed] for seed in smoke(study).seeds[:2])
    require(
        differing(first.assign(seed=0), second.assign(seed=0), rtol=0, atol=0) is not None,
        f"{study.name}: seeds {smoke(study).seeds[:2]} have the same values throughout, so an interval over seeds "
        f"would have no width; let the seed draw what `varies` says: {', '.join(study.varies)}",
    )


def values_are_finite_or_documented(study: Study) -> None:
    """Values are finite; NaN stands only where the quantity's meaning says that it may be missing."""
    for name, table in smoke(study).tables().items():
        infinite = sorted(set(table.loc[np.isinf(table["value"]), "quantity"]))
        require(
            not infinite,
            f"{study.name}, setting {name!r}: infinite values of {few(infinite)}; keep what is not there as NaN",
        )
        absent = sorted(set(table.loc[table["value"].isna(), "quantity"]))
        silent = [q for q in absent if not _MISSING.search(study.quantities.get(q, ""))]
        require(
            not silent,
            f"{study.name}, setting {name!r}: NaN among the values of {few(silent)}; say in the study's `quantities` "
            "when it is missing ('...; missing where ...'), or return a number",
        )


def test_quantities_are_their_own(study: Study) -> None:
    """What is measured on the test set is not what is measured on the training set."""
    pairs = [(name, name.replace("train", "test")) for name in study.quantities if "train" in name]
    pairs = [pair for pair in pairs if pair[1] in study.quantities]
    if not pairs:
        raise NotApplicableError("measures nothing both on the training and on the test set")
    for one, other in pairs:
        both = pd.concat([_beside(table, one, other) for table in smoke(study).tables().values()]).dropna()
        require(
            both.empty or not np.allclose(both[one], both[other], rtol=1e-9, atol=0),
            f"{study.name}: {one!r} and {other!r} are equal in all {len(both)} rows that have both; measure each on "
            "its own set",
        )


def _beside(table: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """The values of two quantities in two columns, by the other columns."""
    keys = [column for column in table.columns if column not in ("quantity", "value")]
    rows = table[table["quantity"].isin((one, other))]
    wide = rows.pivot_table(index=keys, columns="quantity", values="value", dropna=False)
    return wide.reindex(columns=[one, other])


def differing(one: pd.DataFrame, other: pd.DataFrame, rtol: float = RTOL, atol: float = ATOL) -> str | None:
    """In what two tables differ, rows in any order; None where keys are the same and values are close."""
    try:
        first, second = _by_key(one), _by_key(other)
    except ValueError as error:
        raise CheckError(f"the rows have no order: {error}") from error
    if not first.index.equals(second.index):
        only = first.index.symmetric_difference(second.index)
        return f"other rows: {few(map(tuple, only))} in one of the two only"
    wrong = ~np.isclose(first, second, rtol=rtol, atol=atol, equal_nan=True)
    if not wrong.any():
        return None
    place = int(np.flatnonzero(wrong)[0])
    return (
        f"other values in {int(wrong.sum())} of {len(wrong)} rows, such as {second.iloc[place]:.9g} for "
        f"{first.iloc[place]:.9g} at {first.index[place]}"
    )


def _with_tables(study: Study) -> list[tuple[Setting, pd.DataFrame]]:
    return [(setting, smoke(study).table(name)) for name, setting in smoke(study).settings.items()]


def _keys(table: pd.DataFrame, columns: list[str]) -> set[tuple]:
    """The rows' distinct values of ``columns``; a missing one is equal to another missing one."""
    return set(
        map(tuple, table[columns].astype(object).where(table[columns].notna(), None).drop_duplicates().to_numpy())
    )


def _by_key(table: pd.DataFrame) -> pd.Series:
    keys = sorted(column for column in table.columns if column != "value")
    return table.set_index(keys)["value"].sort_index()
