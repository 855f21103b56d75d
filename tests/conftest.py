import sys

import pytest
import torch

from genbook.results.compute import threads

#: The one place that says with how many threads the tests compute: GENBOOK_THREADS, by default one. Two workers share
#: two cores; one thread each is both faster and reproducible. `make test-processors` says two as well.
THREADS = threads()


@pytest.fixture(scope="session", autouse=True)
def threads_told():
    """Fixtures of whole modules compute with the told number of threads, too."""
    torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True)
def threads_put_back():
    """A test may set a number of its own; the next one gets the told one again."""
    yield
    torch.set_num_threads(THREADS)


def pytest_runtest_call(item):
    """No fixture and no import may have set another number: two threads would be one without anyone noticing."""
    assert torch.get_num_threads() == THREADS, (
        f"{item.nodeid} would compute with {torch.get_num_threads()} threads; the tests were told {THREADS}"
    )


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store for this test and for every process that it starts."""
    monkeypatch.setenv("GENBOOK_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def genbook(monkeypatch, capsys):
    """Run the command line in this process: (status, standard output, standard error)."""
    from genbook import cli

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["genbook", *words])
        status = 0
        try:
            cli.main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


@pytest.fixture
def toy(store, monkeypatch):
    """The toy as the only study."""
    from genbook import data, studies
    from genbook.results import chapters, primary
    from tests.toy import ToyStudy, toy_study

    study, real = toy_study(), studies.get
    monkeypatch.setattr(ToyStudy, "computed", [])
    monkeypatch.setattr(studies, "names", lambda: ("toy",))
    told = chapters.Entry(name="99_toy", title="A toy", part="toys", studies=("toy",))
    monkeypatch.setattr(chapters, "entries", lambda: (told,))
    monkeypatch.setattr(primary, "entries", tuple)
    monkeypatch.setattr(studies, "get", lambda name: study if name == "toy" else real(name))
    monkeypatch.setattr(data, "available", lambda name: True)
    monkeypatch.setattr(data, "fingerprint", lambda name: "f" * 64)
    monkeypatch.setattr(data, "load", lambda name: None)
    return study


@pytest.fixture(scope="module")
def running():
    """A running browser; where there is none the test is skipped."""
    from tests import browser

    with browser.chromium() as found:
        if found is None:
            pytest.skip("no Chromium here")
        yield found


@pytest.fixture
def ax():
    """The axes of a figure in the book's style, closed afterwards."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    from genbook import figures

    with mpl.rc_context():
        figures.use()
        fig, ax = figures.subplots()
        yield ax
        plt.close(fig)


def pytest_collection_modifyitems(items):
    """The built book first: it takes longest, and the other worker does the rest meanwhile."""
    items.sort(key=lambda item: item.path.name != "test_book.py")
