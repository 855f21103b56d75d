import errno
import shutil
import subprocess
import sys
import tempfile

import nbformat
import pytest

from genbook.base import scratch
from genbook.base.files import StorageError, repository
from genbook.base.spec import ParameterError
from genbook.book import execute
from genbook.book.execute import ExecutionError
from genbook.results import published
from genbook.tables import codehash


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Make a chapter of the code cells given, and execute it."""
    monkeypatch.setattr(execute, "notebooks_root", lambda: tmp_path)
    monkeypatch.setattr(execute, "requests", lambda chapter, parameters: {})
    monkeypatch.setattr(execute, "execution_key", lambda chapter, parameters: "key")

    def make(*sources, parameters=None):
        cells = [nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})]
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "42_toy.ipynb")
        return execute.execute("42_toy", parameters or {}, tmp_path / "out.ipynb")

    return make


def test_a_chapter_is_found_by_number_name_or_both():
    for name in ("2", "02", "random_vs_real_labels", "02_random_vs_real_labels", "02_random_vs_real_labels.ipynb"):
        assert execute.find_chapter(name) == "02_random_vs_real_labels"
    with pytest.raises(ParameterError, match=r"valid: .*02_random_vs_real_labels"):
        execute.find_chapter("random labels")


def changed_keys(monkeypatch, module):
    """The chapters whose key moves when the code of ``module`` does."""
    before = {chapter: execute.execution_key(chapter, {}) for chapter in execute.chapters()}
    text = codehash._text
    with monkeypatch.context() as patch:
        patch.setattr(codehash, "_text", lambda name: text(name) + "\nchanged = True\n" * (name == module))
        return {chapter[:2] for chapter, key in before.items() if execute.execution_key(chapter, {}) != key}


EVERY = {chapter[:2] for chapter in execute.chapters()}


@pytest.mark.parametrize(
    ("module", "chapters"),
    [
        ("genbook.studies.xor.xor_digits.claims", {"07"}),
        ("genbook.studies.xor.xor_digits.run", {"07"}),
        ("genbook.studies.descent.sample_descent.study", {"06"}),
        ("genbook.data.human", {"04"}),
        ("genbook.figures.draw", EVERY),
        ("genbook.base.spec", EVERY),
        ("genbook.base.progress", set()),
        ("genbook.cli", set()),
        ("genbook.book.build", set()),
    ],
)
def test_a_chapter_is_executed_anew_when_what_it_uses_changed(monkeypatch, module, chapters):
    assert changed_keys(monkeypatch, module) == chapters


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A copy of a chapter's notebook and of the published tables, and the key of its execution."""
    shutil.copytree(execute.notebooks_root(), tmp_path / "notebooks")
    shutil.copytree(repository() / "book" / "results", tmp_path / "book" / "results")
    monkeypatch.setattr(execute, "notebooks_root", lambda: tmp_path / "notebooks")
    monkeypatch.setattr(published, "root", lambda: tmp_path / "book" / "results")
    return lambda **parameters: execute.execution_key("02_random_vs_real_labels", parameters)


def test_an_execution_depends_on_the_code_of_its_notebook(chapter, tmp_path):
    key = chapter()
    assert chapter() == key
    path = tmp_path / "notebooks" / "02_random_vs_real_labels.ipynb"
    path.write_text(path.read_text().replace('"## ', '"## Of '))
    assert chapter() == key, "words are put into the copy without executing it"
    path.write_text(path.read_text().replace("caption=(", "caption=('Changed. ' + ", 1))
    assert chapter() != key


@pytest.mark.parametrize("change", ["rewritten", "removed", "added"])
def test_an_execution_depends_on_the_published_tables_of_its_studies(chapter, tmp_path, change):
    key = chapter()
    path = tmp_path / "book" / "results" / "random_labels" / "full-discovery.parquet"
    if change == "rewritten":
        path.write_bytes(path.read_bytes()[:-1])
    elif change == "removed":
        path.unlink()
    else:
        shutil.copyfile(path, path.with_name("more-discovery.parquet"))
    assert chapter() != key


def test_an_execution_depends_on_its_parameters(chapter):
    assert len({chapter(), chapter(profile="smoke"), chapter(profile="quick")}) == 3


def test_parameters_are_injected_and_the_copy_names_its_key(notebook):
    done = nbformat.read(notebook("print(x + 1)", parameters={"x": 41}), as_version=4)
    assert done.cells[-1].outputs[0].text == "42\n"
    assert done.metadata["genbook"] == {"key": "key", "parameters": {"x": 41}}
    assert execute.is_current(notebook("x"), "key")
    assert not execute.is_current(notebook("x"), "another")


def test_a_run_leaves_nothing_beside_the_notebook_and_its_copy(notebook, tmp_path):
    done = nbformat.read(notebook("import os\nprint(sorted(os.listdir()))"), as_version=4)
    assert done.cells[-1].outputs[0].text == "['42_toy.ipynb']\n"
    assert {path.name for path in tmp_path.iterdir()} == {"out.ipynb", "42_toy.ipynb"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ValueError('no such colour')", "ValueError: no such colour"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "42_toy"),
        ("import IPython\nIPython.get_ipython().ask_exit()\nimport os\nos._exit(0)", "42_toy"),
    ],
    ids=["raises", "killed", "exits"],
)
def test_a_notebook_that_ends_early_is_an_error_and_leaves_the_old_copy(notebook, tmp_path, source, said):
    (tmp_path / "out.ipynb").write_text("old")
    with pytest.raises(ExecutionError, match=said):
        notebook(source, "print('never')")
    assert (tmp_path / "out.ipynb").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"out.ipynb", "42_toy.ipynb"}


def test_a_full_disk_while_a_notebook_is_executed_is_one_message_and_leaves_the_old_copy(
    notebook, tmp_path, monkeypatch
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "out.ipynb").write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("papermill.execute.execute_notebook", full)
        with pytest.raises(StorageError, match="the disk is full; free some space"):
            notebook("x")
    assert (tmp_path / "out.ipynb").read_text() == "old"
    assert notebook("x").read_text() != "old"


@pytest.mark.parametrize("name", ["²", "٢", "02/", "002", "2 ", "2.0", "elsewhere/02_random_vs_real_labels.ipynb", ""])
def test_what_only_looks_like_a_chapter_is_refused(name):
    with pytest.raises(ParameterError, match="or by number: 01, 02"):
        execute.find_chapter(name)


def test_a_parameter_that_the_cell_does_not_list_is_injected_without_a_warning(notebook, caplog, capfd):
    with caplog.at_level("WARNING"):
        done = nbformat.read(notebook("print(y)", parameters={"y": 3}), as_version=4)
    assert done.cells[-1].outputs[0].text == "3\n"
    assert "unknown parameter" not in caplog.text + capfd.readouterr().err


@pytest.mark.filterwarnings("error")
def test_a_run_shares_no_ipython_profile_and_no_kernel_of_another_python(notebook, monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", "/dev/null/ipython")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    other = tmp_path / "kernels" / "python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text(
        '{"argv": ["/bin/false"], "display_name": "Not this Python", "language": "python"}'
    )
    said = nbformat.read(notebook("import IPython\nprint(IPython.paths.get_ipython_dir())"), as_version=4).cells[-1]
    assert "genbook-" in said.outputs[0].text
    assert len(said.outputs) == 1


def test_a_temporary_folder_with_a_long_name_is_not_used_for_sockets(notebook, monkeypatch, tmp_path):
    long = tmp_path / ("long " * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert notebook("x").is_file()
    assert not list(long.iterdir())


def test_where_every_temporary_folder_is_too_long_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(scratch, "_SOCKET_PATH", 42)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(StorageError, match="a name of at most 2 characters; name it with TMPDIR"), scratch.scratch():
        pass


def test_what_a_kernel_said_last_is_told_when_it_dies(notebook):
    crash = "import os\nos.write(2, b'a library could not go on\\n')\nos._exit(3)"
    with pytest.raises(ExecutionError, match=r"the kernel said last:\n(.*\n)*.*a library could not go on"):
        notebook(crash)


def test_a_kernel_that_dies_of_a_full_disk_is_the_disks_refusal(notebook):
    crash = "import os\nos.write(2, b'OSError: [Errno 28] No space left on device\\n')\nos._exit(1)"
    with pytest.raises(StorageError, match=r"^cannot write .*: the disk is full; free some space$"):
        notebook(crash)


def papermill(tmp_path, *words):
    """papermill started by hand on the real chapter, from another directory."""
    source = execute.notebooks_root() / "02_random_vs_real_labels.ipynb"
    command = [sys.executable, "-m", "papermill", str(source), str(tmp_path / "by hand.ipynb"), *words]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("learning_rat", "0.1", "unknown parameter 'learning_rat': did you mean 'learning_rate'? valid: profile"),
        ("learning_rate", "high", "parameter learning_rate = 'high'"),
    ],
)
def test_papermill_by_hand_with_a_wrong_parameter_fails_and_says_what_is_right(store, tmp_path, name, value, said):
    done = papermill(tmp_path, "-p", "profile", "smoke", "-p", name, value)
    assert done.returncode == 1
    assert said in done.stderr
    assert not store.exists()


def test_run_all_works_twice_in_a_row_and_from_any_directory(store, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.chdir(tmp_path)
    source = nbformat.read(execute.notebooks_root() / "02_random_vs_real_labels.ipynb", as_version=4)
    # parameters, chapter and its first sentence with a number
    source.cells = [cell for cell in source.cells if cell.id in ("parameters", "open", "setting")]
    injected = nbformat.v4.new_code_cell('# Parameters\nprofile = "smoke"\nseeds = 2\n')
    source.cells.insert(1, injected)
    client = NotebookClient(source, kernel_name="python3")
    with client.setup_kernel():
        for _ in range(2):
            for index, cell in enumerate(source.cells):
                client.execute_cell(cell, index)
    assert "2 seeds" in str(source.cells[-1].outputs)
