import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Two workers share two cores; one thread each is both faster and reproducible."""
    torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store for this test and for every process that it starts."""
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def pytest_collection_modifyitems(items):
    """The built book first: it takes longest, and the other worker does the rest meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_book.py")
