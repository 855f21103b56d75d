"""Data sets from files written here, the splits that a seed draws, and the labels that corruption makes of them."""

import gzip
import hashlib
import importlib.metadata
import itertools
import json
import pickle
import random
import struct
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import genbook
from genbook.base.errors import NotInstalled
from genbook.data import (
    HUMAN_KINDS,
    NAMES,
    DataDamaged,
    DataNotFound,
    DataRequestError,
    Dataset,
    available,
    corrupt,
    data_root,
    exchange_blocks,
    fetch,
    fingerprint,
    human_labels,
    load,
    shuffle_labels,
    sources,
    split,
    splits,
)
from genbook.data.bundled import make_fashion_small

N_CLASSES = 10
R = range(0, 28, 2)  # where squares of 2x2 pixels begin


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def signals():
    """MNIST-1D's arrays, generated once."""
    return sources._generate_mnist1d()


@pytest.fixture
def generations(monkeypatch, signals):
    """Hand out the arrays generated above, and list every time that they were asked for."""
    asked = []

    def generate():
        asked.append("mnist1d")
        return tuple(array.copy() for array in signals)

    monkeypatch.setattr(sources, "_generate_mnist1d", generate)
    sources._load.cache_clear()
    return asked


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.tobytes())
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(header + array.tobytes()))


def write_images(root, folder, seed=0, n_train=40, n_test=20):
    rng = np.random.default_rng(seed)
    arrays = {}
    for part, n in (("train", n_train), ("t10k", n_test)):
        arrays[part] = rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % N_CLASSES
        write_idx(root / folder / "raw" / f"{part}-images-idx3-ubyte", arrays[part][0])
        write_idx(root / folder / "raw" / f"{part}-labels-idx1-ubyte", arrays[part][1])
    return arrays


@pytest.fixture
def small_cifar(root, monkeypatch):
    """CIFAR-10's layout with ten images a file, its checksums those of the files written here."""
    from torchvision.datasets import CIFAR10

    rng, folder = np.random.default_rng(0), root / "cifar-10-batches-py"
    folder.mkdir()
    written = {}

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    def batch(name):
        written[name] = rng.integers(0, 256, (10, 3, 32, 32), np.uint8), rng.permutation(N_CLASSES)
        return write(name, {"data": written[name][0].reshape(10, -1), "labels": written[name][1].tolist()})

    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{i}", batch(f"data_batch_{i}")] for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", batch("test_batch")]])
    meta = write("batches.meta", {"label_names": [str(i) for i in range(N_CLASSES)]})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": meta})
    return written


def synthetic(counts=(60, 30, 10), test_counts=(12, 6, 2), shape=(1, 4, 4), seed=0):
    rng = np.random.default_rng(seed)
    labels, test_labels = (np.repeat(np.arange(len(c)), c).astype(np.int64) for c in (counts, test_counts))
    inputs, test_inputs = (rng.normal(3, 2, (len(y), *shape)).astype(np.float32) for y in (labels, test_labels))
    return Dataset("digits", inputs, labels, test_inputs, test_labels, len(counts), "0" * 64)


# --- what is loaded


def test_digits_are_scikit_learns_scans_in_two_fixed_parts():
    from sklearn.datasets import load_digits

    dataset = load("digits")
    assert dataset.train_inputs.shape == (1300, 1, 8, 8)
    assert dataset.test_inputs.shape == (497, 1, 8, 8)
    assert dataset.shape == (1, 8, 8)
    assert dataset.n_classes == 10
    assert (dataset.train_inputs.dtype, dataset.train_labels.dtype) == (np.float32, np.int64)

    def rows(inputs, labels):
        return Counter(
            (image.tobytes(), int(label)) for image, label in zip(inputs.reshape(-1, 64), labels, strict=True)
        )

    original = load_digits()
    ours = rows(dataset.train_inputs, dataset.train_labels) + rows(dataset.test_inputs, dataset.test_labels)
    assert ours == rows((original.data / 16).astype(np.float32), original.target)


def test_the_test_part_of_digits_is_stratified():
    dataset = load("digits")
    pool, test = np.bincount(dataset.train_labels), np.bincount(dataset.test_labels)
    assert np.abs(test - (pool + test) * 497 / 1797).max() <= 1


def test_idx_files_load_as_images_between_0_and_1(root):
    written = write_images(root, "FashionMNIST")
    dataset = load("fashion-mnist")
    np.testing.assert_allclose(dataset.train_inputs[:, 0], written["train"][0] / 255, rtol=1e-6)
    np.testing.assert_array_equal(dataset.test_labels, written["t10k"][1])
    assert dataset.test_inputs.shape == (20, 1, 28, 28)
    assert dataset.test_inputs.max() == 1


def test_fashion_small_has_as_many_images_of_each_class():
    dataset = load("fashion-small")
    assert dataset.train_inputs.shape == (4000, 1, 14, 14)
    assert dataset.test_inputs.shape == (2000, 1, 14, 14)
    assert (dataset.train_inputs.dtype, dataset.train_labels.dtype) == (np.float32, np.int64)
    assert (dataset.train_inputs.min(), dataset.train_inputs.max()) == (0, 1)
    assert np.bincount(dataset.train_labels).tolist() == [400] * N_CLASSES
    assert np.bincount(dataset.test_labels).tolist() == [200] * N_CLASSES
    assert fingerprint("fashion-small") == dataset.fingerprint


def test_no_test_image_of_fashion_small_is_a_training_image():
    dataset = load("fashion-small")
    train, test = ({image.tobytes() for image in part} for part in (dataset.train_inputs, dataset.test_inputs))
    assert not train & test


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content[:-1] + b"x"])
def test_a_changed_copy_of_fashion_small_is_called_damaged(tmp_path, monkeypatch, change):
    (tmp_path / "copy.npz").write_bytes(change(sources._FASHION_SMALL.read_bytes()))
    monkeypatch.setattr(sources, "_FASHION_SMALL", tmp_path / "copy.npz")
    sources._load.cache_clear()
    with pytest.raises(DataDamaged, match=r"copy.npz is damaged .*install genbook again"):
        load("fashion-small")


def test_a_missing_copy_of_fashion_small_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_FASHION_SMALL", tmp_path / "none.npz")
    sources._load.cache_clear()
    with pytest.raises(DataDamaged, match=r"fashion-small cannot be read .*none.npz"):
        load("fashion-small")


def test_fashion_small_is_small_and_has_its_licence_and_credit_beside_it():
    folder = sources._FASHION_SMALL.parent
    assert sources._FASHION_SMALL.stat().st_size < 10**6
    assert "MIT License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Zalando SE" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Han Xiao, Kashif Rasul and Roland Vollgraf" in (folder / "README.md").read_text(encoding="utf-8")


def test_what_lies_beside_the_code_is_packed_with_it():
    package = Path(genbook.__file__).parent
    declared = tomllib.loads((package.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    packed = {
        file for pattern in declared["tool"]["setuptools"]["package-data"]["genbook"] for file in package.glob(pattern)
    }
    beside = {file for file in package.rglob("*") if file.is_file() and file.suffix != ".py"}
    beside = {file for file in beside if file.parent.name != "__pycache__"}  # Python's compiled code, and numba's
    assert beside == packed


def test_the_subset_is_stratified_halved_and_the_same_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(make_fashion_small, "N_TRAIN", 20)
    monkeypatch.setattr(make_fashion_small, "N_TEST", 10)
    written = write_images(tmp_path, "", n_train=60, n_test=40)
    for name in ("one", "two"):
        make_fashion_small.write(tmp_path / "raw", tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    made = np.load(tmp_path / "one")
    for part, source, each in (("train", "train", 2), ("test", "t10k", 1)):
        images, labels = written[source]
        # float64, each square by itself; a half is rounded up, as the integers do
        means = [[np.floor(image[i : i + 2, j : j + 2].mean() + 0.5) for i in R for j in R] for image in images]
        rows = {tuple(mean): label for mean, label in zip(np.int64(means).tolist(), labels.tolist(), strict=True)}
        found = [rows[tuple(image)] for image in made[f"{part}_images"].reshape(-1, 196).tolist()]
        assert found == made[f"{part}_labels"].tolist()
        assert np.bincount(found).tolist() == [each] * N_CLASSES


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "want the four files"), (b"\0\0\x08\x01\0\0\0\x05abc", "not whole"), (b"\0\0\x09\x01\0\0\0\x01a", "idx")],
)
def test_what_is_no_file_of_fashion_mnist_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(SystemExit, match=message):
        make_fashion_small.write(tmp_path, tmp_path / "made")


def test_cifar_images_have_their_channels_first(small_cifar):
    dataset = load("cifar10")
    images = np.concatenate([small_cifar[f"data_batch_{i}"][0] for i in range(1, 6)])
    np.testing.assert_allclose(dataset.train_inputs, images / 255, rtol=1e-6)
    np.testing.assert_array_equal(dataset.test_labels, small_cifar["test_batch"][1])


def test_mnist1d_is_what_its_authors_generate(signals):
    from mnist1d.data import make_dataset

    state = np.random.get_state()
    made = make_dataset()
    np.random.set_state(state)
    np.testing.assert_array_equal(signals[0], made["x"].astype(np.float32))
    np.testing.assert_array_equal(signals[3], made["y_test"])
    assert signals[0].shape == (4000, 40)


def test_generating_leaves_the_global_generators_alone(monkeypatch):
    def reseed():
        random.seed(42)
        np.random.seed(42)
        return {key: np.zeros(2) for key in ("x", "y", "x_test", "y_test")}

    monkeypatch.setattr("mnist1d.data.make_dataset", reseed)
    random.seed(1)
    np.random.seed(1)
    expected = random.Random(1).random(), np.random.RandomState(1).random()
    sources._generate_mnist1d()
    assert (random.random(), np.random.random()) == expected


def test_mnist1d_is_generated_once_and_kept(root, generations, signals):
    first = load("mnist1d")
    sources._load.cache_clear()
    again = load("mnist1d")
    assert generations == ["mnist1d"]
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.train_inputs, signals[0])
    assert [path.suffix for path in (root / "mnist1d").iterdir()] == [".npz"]


def damage_in_the_middle(content):
    return content[: len(content) // 2] + bytes(64) + content[len(content) // 2 + 64 :]


@pytest.mark.parametrize("damage", [lambda c: c[:1000], lambda c: b"", lambda c: b"not a zip", damage_in_the_middle])
def test_a_damaged_copy_of_mnist1d_is_named_and_generated_anew(root, generations, signals, damage):
    load("mnist1d")
    (file,) = (root / "mnist1d").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    sources._load.cache_clear()
    with pytest.warns(RuntimeWarning, match=f"{file.name} is damaged"):
        dataset = load("mnist1d")
    np.testing.assert_array_equal(dataset.train_inputs, signals[0])
    assert len(generations) == 2
    sources._load.cache_clear()
    load("mnist1d")
    assert len(generations) == 2


def test_a_copy_that_was_changed_is_noticed_by_its_hash(root, generations):
    load("mnist1d")
    (file,) = (root / "mnist1d").iterdir()
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["y"] = (arrays["y"] + 1) % 10
    np.savez(file, **arrays)
    sources._load.cache_clear()
    with pytest.warns(RuntimeWarning, match="not what was written"):
        load("mnist1d")


def test_a_root_that_cannot_be_written_still_serves(tmp_path, monkeypatch, generations):
    (tmp_path / "file").write_text("")  # a folder below a file can be made by nobody, root included
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path / "file" / "data"))
    assert load("mnist1d").train_inputs.shape == (4000, 40)
    assert fingerprint("mnist1d") == load("mnist1d").fingerprint
    assert len(generations) == 1
    assert fingerprint("digits") == load("digits").fingerprint


def test_loaded_arrays_cannot_be_changed_for_others():
    with pytest.raises(ValueError, match="read-only"):
        load("digits").train_labels[0] = 1


# --- where it is looked for


def test_the_root_follows_the_environment_then_the_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path))
    assert data_root() == tmp_path
    monkeypatch.delenv("GENBOOK_DATA")
    assert data_root() == platformdirs.user_cache_path("genbook") / "data"


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux keeps it; platformdirs knows the others")
def test_the_root_is_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GENBOOK_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert data_root() == tmp_path / ".cache" / "genbook" / "data"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert data_root() == tmp_path / "xdg" / "genbook" / "data"


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "cifar10"])
def test_a_data_set_that_is_not_there_says_what_to_type(root, monkeypatch, name):
    def refuse(*_, **__):
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", refuse)
    assert not available(name)
    for ask in (load, fingerprint):
        with pytest.raises(DataNotFound, match=rf"`genbook data fetch {name}`.*GENBOOK_DATA"):
            ask(name)
    assert list(root.iterdir()) == []


def test_availability_looks_for_every_file(root):
    write_images(root, "MNIST")
    assert available("mnist")
    assert not available("fashion-mnist")
    (root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    assert not available("mnist")
    assert available("digits")
    assert available("mnist1d")
    assert available("fashion-small")


@pytest.mark.parametrize("ask", [load, available, fingerprint, fetch])
def test_an_unknown_name_is_answered_with_the_nearest(ask):
    with pytest.raises(DataRequestError, match=r"unknown data set .fashion_mnist.; did you mean .fashion-mnist.\?"):
        ask("fashion_mnist")
    with pytest.raises(DataRequestError, match="unknown data set 'imagenet-21k'; There are digits"):
        ask("imagenet-21k")


def test_a_truncated_file_is_called_damaged(root):
    write_images(root, "MNIST")
    file = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(DataDamaged, match=r"mnist in .*MNIST/raw is damaged.*genbook data fetch mnist"):
        load("mnist")


def test_a_changed_cifar_file_is_called_damaged_before_it_is_unpickled(root, small_cifar, monkeypatch):
    file = root / "cifar-10-batches-py" / "data_batch_3"
    file.write_bytes(file.read_bytes() + b"x")
    monkeypatch.setattr("torchvision.datasets.cifar.pickle.load", lambda *_, **__: pytest.fail("unpickled"))
    with pytest.raises(DataDamaged, match=r"cifar10 in .* is damaged"):
        load("cifar10")


def test_fetching_asks_torchvision_and_a_failure_is_one_message(root, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no route\nto host")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", no_network)
    with pytest.raises(DataNotFound, match=r"mnist could not be downloaded .*no route to host") as failure:
        fetch("mnist")
    assert "\n" not in str(failure.value)


def test_fetching_unpacks_what_was_downloaded_before(root, monkeypatch):
    from torchvision.datasets import MNIST

    write_images(root, "MNIST")
    raw = root / "MNIST" / "raw"
    packed = [(file.name, hashlib.md5(file.read_bytes()).hexdigest()) for file in sorted(raw.glob("*.gz"))]
    monkeypatch.setattr(MNIST, "resources", packed)
    for name in sources._IDX_FILES:
        (raw / name).unlink()
    assert not available("mnist")
    assert fetch("mnist") == root
    assert load("mnist").train_inputs.shape == (40, 1, 28, 28)


# --- the fingerprint


def test_the_fingerprint_follows_every_array(root):
    prints = set()
    for seed, n_train, n_test in [(0, 40, 20), (1, 40, 20), (0, 50, 20), (0, 40, 30)]:
        write_images(root, "MNIST", seed, n_train, n_test)
        prints.add(load("mnist").fingerprint)
    write_images(root, "MNIST")
    write_idx(root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte", np.zeros(20, np.uint8))
    prints.add(load("mnist").fingerprint)
    assert len(prints) == 5
    assert all(len(p) == 64 and int(p, 16) for p in prints)


def test_a_known_fingerprint_is_not_computed_again(root, monkeypatch):
    write_images(root, "MNIST")
    first = fingerprint("mnist")
    assert first == load("mnist").fingerprint
    monkeypatch.setattr(sources, "load", lambda name: pytest.fail("loaded again"))
    assert fingerprint("mnist") == first


def test_changed_files_have_a_new_fingerprint(root):
    write_images(root, "MNIST", seed=0)
    before = fingerprint("mnist")
    write_images(root, "MNIST", seed=1)
    assert fingerprint("mnist") == load("mnist").fingerprint != before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"mnist": 3}', '{"mnist": {"stamp": 1}}'])
def test_a_damaged_list_of_fingerprints_is_written_anew(root, content):
    write_images(root, "MNIST")
    (root / "fingerprints.json").write_text(content)
    assert fingerprint("mnist") == load("mnist").fingerprint
    assert json.loads((root / "fingerprints.json").read_text())["mnist"]["sha256"] == fingerprint("mnist")


# --- splits


def test_a_split_is_disjoint_and_has_the_sizes_asked_for():
    data = split(load("digits"), seed=3, n_train=900, n_validation=200, n_test=100)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [900, 200, 100]
    assert not set(data.train.indices) & set(data.validation.indices)
    assert len(set(data.train.indices)) == 900
    assert data.train.inputs.shape == (900, 1, 8, 8)
    assert (data.train.inputs.dtype, data.train.labels.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(data.train.labels, load("digits").train_labels[data.train.indices])
    np.testing.assert_array_equal(data.test.labels, load("digits").test_labels[data.test.indices])


@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(0, 20))
def test_classes_keep_their_share(seed, n_train, n_validation):
    dataset = synthetic()
    data = split(dataset, seed, n_train, n_validation)
    share = np.array([0.6, 0.3, 0.1])
    for part, slack in ((data.validation, 1), (data.train, 2)):
        assert np.abs(np.bincount(part.labels, minlength=3) - share * len(part)).max() <= slack


def test_equal_classes_are_equally_many():
    data = split(synthetic(counts=(50, 50, 50, 50)), seed=0, n_train=100, n_validation=40)
    assert np.bincount(data.train.labels).tolist() == [25] * 4
    assert np.bincount(data.validation.labels).tolist() == [10] * 4


def test_a_larger_training_set_of_the_same_seed_contains_the_smaller():
    dataset = load("digits")
    sets = [split(dataset, 5, n, n_validation=100) for n in (10, 50, 333, 1200)]
    for smaller, larger in itertools.pairwise(sets):
        np.testing.assert_array_equal(smaller.train.indices, larger.train.indices[: len(smaller.train)])
        np.testing.assert_array_equal(smaller.validation.indices, larger.validation.indices)


def test_seeds_draw_different_subsets_but_share_the_test_set():
    first, second = (split(load("digits"), seed, 500, n_test=200) for seed in (0, 1))
    overlap = len(set(first.train.indices) & set(second.train.indices))
    assert overlap == pytest.approx(500 * 500 / 1300, abs=60)
    np.testing.assert_array_equal(first.test.indices, second.test.indices)
    torch.testing.assert_close(split(load("digits"), 0, 500).train.inputs, first.train.inputs, rtol=0, atol=0)


def test_every_example_is_as_likely_to_be_drawn():
    dataset = synthetic(counts=(20, 10))
    drawn = np.bincount(np.concatenate([split(dataset, seed, 9).train.indices for seed in range(1000)]), minlength=30)
    # 9 of 30 each time: a count of 300 with a standard deviation of at most 14.5.
    assert np.abs(drawn - 300).max() < 4.5 * 14.5


@pytest.mark.parametrize(
    ("purpose", "n_validation", "moved"),
    [
        ("training subset", 100, {"train"}),
        ("validation", 0, set()),
        ("validation", 100, {"train", "validation"}),  # what is left over for training moves with it
        ("corruption", 100, set()),
        ("order", 100, set()),
        ("initialisation", 100, set()),
    ],
)
def test_each_set_is_drawn_from_the_stream_of_its_own_purpose(monkeypatch, purpose, n_validation, moved):
    def drawn():
        data = split(load("digits"), 3, 500, n_validation)
        return {part: getattr(data, part).indices.tolist() for part in ("train", "validation", "test")}

    before = drawn()
    stream = splits.generator
    monkeypatch.setattr(splits, "generator", lambda seed, asked: stream(seed + 10**6 * (asked == purpose), asked))
    after = drawn()
    assert {part for part in before if after[part] != before[part]} == moved


def test_inputs_are_standardised_with_the_training_statistics():
    dataset = synthetic(shape=(3, 4, 4))
    dataset.train_inputs[:, 1] *= 10
    dataset.test_inputs[:] += 100
    data = split(dataset, seed=0, n_train=50, n_validation=10)
    np.testing.assert_allclose(data.train.inputs.mean((0, 2, 3)), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(data.train.inputs.std((0, 2, 3), correction=0), np.ones(3), rtol=1e-5)
    assert data.mean.shape == (3, 1, 1)
    for part, inputs in ((data.validation, dataset.train_inputs), (data.test, dataset.test_inputs)):
        np.testing.assert_allclose(
            part.inputs.numpy() * data.std + data.mean, inputs[part.indices], rtol=1e-5, atol=1e-4
        )


def test_signals_have_one_mean_and_features_their_own():
    dataset = synthetic(shape=(40,))
    dataset.train_inputs[:] += np.arange(40)
    whole = split(dataset, 0, 60)
    assert whole.mean.size == 1
    assert whole.train.inputs.mean().item() == pytest.approx(0, abs=1e-5)
    by_feature = split(dataset, 0, 60, standardise="feature")
    np.testing.assert_allclose(by_feature.train.inputs.mean(0), np.zeros(40), atol=1e-5)
    np.testing.assert_allclose(by_feature.train.inputs.std(0, correction=0), np.ones(40), rtol=1e-4)
    untouched = split(dataset, 0, 60, standardise="none")
    np.testing.assert_array_equal(untouched.train.inputs, dataset.train_inputs[untouched.train.indices])


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1e4])
def test_a_pixel_that_is_constant_in_training_stays_finite(value):
    dataset = synthetic()
    dataset.train_inputs[:, 0, 0, 0] = value
    data = split(dataset, 0, 50, standardise="feature")
    assert torch.isfinite(data.test.inputs).all()
    assert data.train.inputs[:, 0, 0, 0].abs().max() <= 1e-3
    np.testing.assert_allclose(
        data.test.inputs[:, 0, 0, 0], dataset.test_inputs[:, 0, 0, 0] - np.float32(value), atol=1e-2
    )


def test_flat_inputs_have_one_axis():
    data = split(load("digits"), 0, 30, n_validation=5, flat=True)
    assert data.train.inputs.shape == (30, 64)
    assert data.validation.inputs.shape == (5, 64)
    shaped = split(load("digits"), 0, 30, n_validation=5)
    torch.testing.assert_close(shaped.train.inputs.flatten(1), data.train.inputs)
    assert split(load("digits"), 0, 30).validation.inputs.shape == (0, 1, 8, 8)
    assert split(load("digits"), 0, 30, flat=True).validation.inputs.shape == (0, 64)


def test_a_split_moves_as_a_whole():
    moved = split(synthetic(), 0, 30, n_validation=3).to("meta")
    assert {part.inputs.device.type for part in (moved.train, moved.validation, moved.test)} == {"meta"}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_train": 101}, "training set of 101 .* digits has 1 to 100"),
        ({"n_train": 0}, "training set of 0"),
        ({"n_train": 80, "n_validation": 21}, "validation set of 21 .* besides 80 for training has 0 to 20"),
        ({"n_train": 10, "n_validation": -1}, "validation set of -1"),
        ({"n_train": 10, "n_test": 21}, "test set of 21 .* has 1 to 20"),
    ],
)
def test_sizes_that_the_data_cannot_give_are_refused(sizes, message):
    with pytest.raises(DataRequestError, match=message):
        split(synthetic(), 0, **sizes)


def test_an_unknown_standardisation_is_refused():
    with pytest.raises(DataRequestError, match="unknown standardisation 'pixel'; one of channel, feature, none"):
        split(synthetic(), 0, 10, standardise="pixel")


# --- corruption


LABELS = np.arange(2000) % N_CLASSES
OTHERS = (LABELS * 7 + 3) % N_CLASSES
KINDS = ["uniform", "uniform-any", "permute", "human"]


def corrupted(fraction, kind, seed=0, labels=LABELS):
    return corrupt(labels, fraction, kind, seed, N_CLASSES, human=OTHERS if kind == "human" else None)


@given(st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 10**6))
def test_the_mask_says_what_really_changed(kind, fraction, seed):
    result = corrupted(fraction, kind, seed)
    np.testing.assert_array_equal(result.changed, result.labels != LABELS)
    assert result.labels.dtype == np.int64
    assert result.fraction == result.changed.mean() <= fraction + 0.5 / LABELS.size
    assert 0 <= result.labels.min() <= result.labels.max() < N_CLASSES


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_uniform_makes_exactly_that_share_wrong(fraction, seed):
    assert abs(corrupted(fraction, "uniform", seed).changed.sum() - fraction * LABELS.size) <= 0.5


def test_uniform_gives_each_wrong_class_as_often():
    labels = np.zeros(90_000, int)
    counts = np.bincount(corrupt(labels, 1.0, "uniform", 0, N_CLASSES).labels, minlength=N_CLASSES)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 10_000).max() < 5 * 100


def test_uniform_any_keeps_one_label_in_ten():
    labels = np.full(100_000, 4)
    result = corrupt(labels, 0.5, "uniform-any", 0, N_CLASSES)
    assert result.fraction == pytest.approx(0.45, abs=0.008)
    counts = np.bincount(corrupt(labels, 1.0, "uniform-any", 0, N_CLASSES).labels)
    assert np.abs(counts - 10_000).max() < 5 * 100


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_permuting_keeps_the_class_counts(fraction, seed):
    assert np.bincount(corrupted(fraction, "permute", seed).labels).tolist() == np.bincount(LABELS).tolist()


def test_permuting_changes_nine_in_ten_of_the_chosen():
    assert corrupted(0.5, "permute").fraction == pytest.approx(0.45, abs=0.03)
    assert corrupted(1.0, "permute").fraction == pytest.approx(0.9, abs=0.03)


def test_human_labels_replace_those_of_the_chosen():
    np.testing.assert_array_equal(corrupted(1.0, "human").labels, OTHERS)
    half = corrupted(0.5, "human")
    np.testing.assert_array_equal(half.labels[half.changed], OTHERS[half.changed])
    assert half.fraction == pytest.approx(0.5 * np.mean(OTHERS != LABELS), abs=0.03)


@pytest.mark.parametrize("kind", ["uniform", "uniform-any", "human"])
def test_a_larger_fraction_corrupts_the_same_examples_in_the_same_way_and_more(kind):
    levels = [corrupted(fraction, kind) for fraction in (0.1, 0.25, 0.5, 1.0)]
    for less, more in itertools.pairwise(levels):
        np.testing.assert_array_equal(more.labels[less.changed], less.labels[less.changed])
        assert more.changed.sum() > less.changed.sum()


def test_a_larger_permutation_chooses_the_same_examples_and_more():
    labels = np.arange(N_CLASSES * 200) // 200
    small, large = (corrupt(labels, fraction, "permute", 0, N_CLASSES).changed for fraction in (0.2, 0.8))
    # Of the chosen 80 % nine in ten change; independent choices would overlap in 72 % only.
    assert large[small].mean() > 0.85


def test_seeds_corrupt_different_examples():
    first, second = corrupted(0.3, "uniform", 0), corrupted(0.3, "uniform", 1)
    assert (first.changed & second.changed).mean() == pytest.approx(0.09, abs=0.03)


def test_labels_may_come_as_a_tensor_and_are_left_alone():
    labels = torch.from_numpy(LABELS.copy())
    np.testing.assert_array_equal(corrupted(0.3, "uniform", labels=labels).labels, corrupted(0.3, "uniform").labels)
    np.testing.assert_array_equal(labels, LABELS)


def test_nothing_is_corrupted_at_zero_or_without_examples():
    for kind in KINDS:
        assert not corrupted(0.0, kind).changed.any()
    assert corrupt([], 0.5, "uniform", 0, N_CLASSES).fraction == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 1.1}, r"lies in \[0, 1\], got 1.1"),
        ({"fraction": -0.1}, "got -0.1"),
        ({"fraction": float("nan")}, "got nan"),
        ({"kind": "symmetric"}, "unknown kind of corruption 'symmetric'; one of uniform, uniform-any, permute, human"),
        ({"kind": "human"}, "human labels are for the kind 'human' and needed there"),
        ({"human": LABELS}, "human labels are for the kind 'human'"),
        ({"kind": "human", "human": LABELS[:5]}, "one human label per example"),
        ({"kind": "human", "human": LABELS + 1}, "human labels of 10 classes lie in 0 to 9"),
        ({"labels": LABELS / 2}, "list of integers"),
        ({"labels": LABELS - 1}, "lie in 0 to 9, got -1"),
        ({"labels": np.zeros(3, int), "n_classes": 1}, "no wrong label"),
    ],
)
def test_bad_requests_for_corruption_are_refused(arguments, message):
    request = {"labels": LABELS, "fraction": 0.5, "kind": "uniform", "seed": 0, "n_classes": N_CLASSES, **arguments}
    with pytest.raises(ValueError, match=message):
        corrupt(**request)


def test_shuffled_labels_keep_their_counts_and_say_nothing():
    shuffled = shuffle_labels(LABELS, 0)
    assert np.bincount(shuffled).tolist() == np.bincount(LABELS).tolist()
    assert np.mean(shuffled == LABELS) == pytest.approx(0.1, abs=0.03)
    assert (shuffled != corrupted(1.0, "permute").labels).any()


# --- human labels


def write_human(root, clean, **changes):
    rng = np.random.default_rng(0)
    keys = ["aggre_label", "random_label1", "random_label2", "random_label3", "worse_label"]
    arrays = {key: rng.integers(0, N_CLASSES, len(clean)).astype(np.uint8) for key in keys}
    (root / "CIFAR-10N").mkdir(exist_ok=True)
    np.savez(root / "CIFAR-10N" / "cifar10n.npz", **{"clean_label": clean.astype(np.uint8), **arrays, **changes})
    return [arrays[key] for key in keys]


def test_human_labels_by_kind(root, small_cifar):
    dataset = load("cifar10")
    written = write_human(root, dataset.train_labels)
    for kind, expected in zip(HUMAN_KINDS, written, strict=True):
        np.testing.assert_array_equal(human_labels(dataset, kind), expected)


def test_human_labels_that_are_missing_damaged_or_of_other_images(root, small_cifar):
    dataset = load("cifar10")
    with pytest.raises(DataNotFound, match=r"cifar10n\.npz.*GENBOOK_DATA"):
        human_labels(dataset, "worse")
    write_human(root, (dataset.train_labels + 1) % 10)
    with pytest.raises(DataDamaged, match="not for these images"):
        human_labels(dataset, "worse")
    (root / "CIFAR-10N" / "cifar10n.npz").write_bytes(b"PK")
    with pytest.raises(DataDamaged, match="is damaged"):
        human_labels(dataset, "worse")
    with pytest.raises(ValueError, match="unknown kind of human labels 'worst'"):
        human_labels(dataset, "worst")
    with pytest.raises(ValueError, match="for cifar10 only, not for digits"):
        human_labels(load("digits"), "worse")


# --- the module


def test_the_module_is_light_to_import():
    code = (
        "import sys, genbook.data; print([m for m in ('torch', 'torchvision', 'sklearn', 'scipy') if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in NAMES if name in ("fashion-mnist", "mnist", "cifar10")])
def test_the_real_files_where_they_are_there(name):
    if not available(name):
        pytest.skip(f"{name} is not below GENBOOK_DATA")
    dataset = load(name)
    n_train = 50_000 if name == "cifar10" else 60_000
    assert (len(dataset.train_labels), len(dataset.test_labels)) == (n_train, 10_000)
    assert np.bincount(dataset.test_labels).min() > 850
    if name == "fashion-mnist":
        raw = data_root() / "FashionMNIST" / "raw"
        parts = {
            p: make_fashion_small.read_idx(raw, f"{n}-images-idx3-ubyte")
            for p, n in (("train", "train"), ("test", "t10k"))
        }
        small = load("fashion-small")
        for part, images in parts.items():
            ours = np.round(getattr(small, f"{part}_inputs")[:, 0] * 255).astype(np.uint8)
            assert {image.tobytes() for image in ours} <= {
                image.tobytes() for image in make_fashion_small.halved(images)
            }
    assert fingerprint(name) == dataset.fingerprint


@pytest.mark.parametrize(
    ("module", "what", "ask"),
    [
        ("sklearn.datasets", "digits", lambda: load("digits")),
        ("sklearn.cluster", "exchange_blocks", lambda: exchange_blocks(np.eye(4), np.zeros(4, int), 2, 0)),
        ("mnist1d.data", "mnist1d", lambda: load("mnist1d")),
        ("torchvision", "mnist", lambda: fetch("mnist")),
    ],
)
def test_data_of_the_book_say_what_to_install(module, what, ask, tmp_path, monkeypatch):
    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, module, None)
    sources._load.cache_clear()
    with pytest.raises(
        NotInstalled, match=rf"{what} needs \w+, which comes with the book: pip install 'genbook\[book\]'"
    ):
        ask()


@pytest.mark.parametrize(("name", "package"), [("digits", "scikit-learn"), ("mnist1d", "mnist1d")])
def test_data_whose_package_is_not_there_say_so_too(name, package, tmp_path, monkeypatch):
    def missing(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setenv("GENBOOK_DATA", str(tmp_path))
    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(NotInstalled, match=f"{name} needs {package}, which comes with the book"):
        load(name)
