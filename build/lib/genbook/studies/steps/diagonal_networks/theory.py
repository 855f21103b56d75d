"""Where gradient flow ends on a diagonal linear network, and what single steps leave of its one conserved quantity.

With w± = u ± v, a step of length γ on the gradient g of the loss in β = u·v multiplies w± by 1 ∓ γg, and so the
imbalance u² - v² = w₊w₋ by 1 - γ²g², in every coordinate by itself. Flow leaves the imbalances c as they are and moves
along β = (c/2) sinh(2 Xᵀλ); its end is the one such β that fits every example.
"""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-9  # of the residuals, over the targets' size
_MOST = 500  # Newton steps
_LONGEST = 2.0  # change of 2 Xᵀλ in one of them: where sinh is steep a full step would leave floating point


def end_of_flow(inputs: np.ndarray, targets: np.ndarray, imbalance: np.ndarray) -> np.ndarray:
    """The weights β with X β = y at which gradient flow from β = 0 ends, by damped Newton steps on the dual problem.

    The dual is minimise Σ (c/4) cosh(2 Xᵀλ) - ⟨λ, y⟩, which is convex.

    Args:
        inputs: X, [examples, inputs], of full row rank.
        targets: y, [examples].
        imbalance: c = |u² - v²| of every coordinate, [inputs], positive.

    Raises:
        ArithmeticError: not converged.
    """
    dual = np.zeros(len(targets))
    for _ in range(_MOST):
        angles = 2 * inputs.T @ dual
        residuals = inputs @ (imbalance / 2 * np.sinh(angles)) - targets
        if np.abs(residuals).max() <= _TOLERANCE * np.abs(targets).max():
            return imbalance / 2 * np.sinh(angles)
        step = np.linalg.solve((inputs * (imbalance * np.cosh(angles))) @ inputs.T, residuals)
        turned = 2 * inputs.T @ step
        dual = dual - min(1.0, _LONGEST / np.abs(turned).max()) * step
    raise ArithmeticError(f"the end of gradient flow was not found in {_MOST} Newton steps")
