"""The Hessian of a plain module as SciPy's linear operator."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, aslinearoperator, eigsh, lobpcg, svds
from torch import nn

from genbook.base.seeding import generator
from genbook.curvature import Hessian, top_eigenpairs
from genbook.models import initialise, mlp, stack


def small(dtype=torch.float64, replicas=None):
    models = [initialise(mlp((6, 8, 3), "tanh").to(dtype), generator(seed, "start")) for seed in range(replicas or 1)]
    rng = np.random.default_rng(0)
    inputs = torch.from_numpy(rng.standard_normal((20, 6))).to(dtype)
    targets = torch.from_numpy(rng.integers(0, 3, 20))
    if replicas is None:
        return Hessian(models[0], nn.CrossEntropyLoss(), inputs, targets)
    wide = inputs.expand(replicas, -1, -1), targets.expand(replicas, -1)
    return Hessian(stack(models), nn.CrossEntropyLoss(), *wide)


def test_scipys_eigenvalues_at_both_ends_are_those_of_the_matrix():
    hessian = small()
    exact = np.linalg.eigvalsh(hessian.dense()[0].numpy())
    assert np.sort(eigsh(hessian, k=4, which="LA", return_eigenvectors=False)) == pytest.approx(exact[-4:], abs=1e-9)
    assert np.sort(eigsh(hessian, k=2, which="SA", return_eigenvectors=False)) == pytest.approx(exact[:2], abs=1e-9)
    values, vectors = eigsh(hessian, k=1)
    residual = hessian.dense()[0].numpy() @ vectors - values * vectors
    assert np.linalg.norm(residual) < 1e-8


def test_it_is_an_operator_to_scipys_other_methods_too():
    hessian = small()
    matrix, columns = hessian.dense()[0].numpy(), np.random.default_rng(1).standard_normal((hessian.size, 2))
    operator = aslinearoperator(hessian)
    assert isinstance(operator, LinearOperator)
    assert operator.shape == matrix.shape
    assert operator @ columns == pytest.approx(matrix @ columns)
    assert operator.H @ columns == pytest.approx(matrix @ columns)
    assert (2 * operator) @ columns[:, 0] == pytest.approx(2 * matrix @ columns[:, 0])
    largest = np.abs(np.linalg.eigvalsh(matrix)).max()
    assert svds(operator, k=1, return_singular_vectors=False) == pytest.approx([largest])
    found, _ = lobpcg(operator, columns, tol=1e-8, maxiter=200)
    assert found == pytest.approx(np.linalg.eigvalsh(matrix)[:-3:-1])


@pytest.mark.parametrize(
    ("dtype", "theirs"),
    [(torch.float64, np.float64), (torch.float32, np.float32), (torch.bfloat16, np.float32)],
    ids=str,
)
def test_a_product_has_the_type_of_the_parameters_and_the_shape_of_the_vector(dtype, theirs):
    hessian = small(dtype)
    vector = np.ones(hessian.size)
    assert hessian.dtype == theirs
    for given in (vector, vector[:, None], vector.astype(int)):
        assert hessian.matvec(given).dtype == theirs
        assert hessian.matvec(given).shape == given.shape
    assert (vector == 1).all()
    expected = (hessian @ torch.ones(1, hessian.size, dtype=dtype))[0].double().numpy()
    assert hessian.matvec(vector) == pytest.approx(expected)


def test_single_precision_is_enough_for_the_largest():
    hessian = small(torch.float32)
    (largest,) = eigsh(hessian, k=1, which="LA", return_eigenvectors=False)
    assert largest == pytest.approx(float(top_eigenpairs(hessian).values[0, 0]), rel=1e-4)


def test_what_is_no_matrix_says_what_would_be_one():
    hessian = small(replicas=3)
    for ask in (lambda: hessian.shape, lambda: eigsh(hessian, k=1), lambda: hessian.matvec(np.ones(hessian.size))):
        with pytest.raises(ValueError, match=r"a stack of 3 replicas has 3 Hessians.*unstack\(model, replica\)"):
            ask()
    with pytest.raises(ValueError, match=r"the vector has shape \(4,\); it needs \(83,\) or \(83, 1\)"):
        small().matvec(np.ones(4))
