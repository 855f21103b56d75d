"""What all studies promise, study by study: the checks of `genbook.contract`, which `genbook check STUDY` runs too."""

import pytest

from genbook import studies
from genbook.contract import CHECKS, NotApplicableError


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", studies.names())
def test_contract(name, check):
    try:
        CHECKS[check](studies.get(name))
    except NotApplicableError as reason:
        pytest.skip(f"{name} {reason}")
