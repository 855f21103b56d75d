import torch

from genbook.models import linear
from genbook.training import SGD, Examples, Recipe, Replica, train, watched


def replicas():
    data = {"train": Examples(torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2)}
    return [Replica(seed, linear(3, 2), Recipe(30, SGD(0.1), batch_size=5), data) for seed in range(2)]


def test_a_watch_hears_the_share_done_of_every_training_in_its_block():
    heard = []
    with watched(lambda share, words: heard.append(share)):
        train(replicas())
        assert heard[-1] == 1
        assert heard == sorted(heard)
        train(replicas())
    assert heard.count(1) >= 2
    told = len(heard)
    train(replicas())
    assert len(heard) == told


def test_trainings_in_turn_keep_their_state_in_files_of_their_own(tmp_path, monkeypatch):
    from genbook.training import engine

    asked = []
    checkpoint = engine.Checkpoint
    monkeypatch.setattr(engine, "Checkpoint", lambda path, *rest: asked.append(path) or checkpoint(path, *rest))
    for _ in range(2):  # a study that is run again asks for the same files in the same order
        with watched(folder=tmp_path):
            train(replicas())
            train(replicas())
    assert [path.name for path in asked] == ["training-0.safetensors", "training-1.safetensors"] * 2
    assert not list(tmp_path.iterdir())
