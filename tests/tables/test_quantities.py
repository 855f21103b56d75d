import pytest

from genbook import probes
from genbook.probes import Epochs
from genbook.tables import quantities


def test_every_quantity_has_a_meaning_and_stands_under_its_own_name():
    for name, quantity in quantities.CATALOGUE.items():
        assert quantity.name == name
        assert quantity.meaning
        assert not quantity.meaning.endswith(".")
    assert set(quantities.FACTS) <= set(quantities.CATALOGUE)


@pytest.mark.parametrize(
    ("measured", "name"),
    [
        (("accuracy", "train", "given"), "train accuracy"),
        (("accuracy", "train", "true"), "train accuracy on true labels"),
        (("accuracy", "test", "given"), "test accuracy"),
        (("loss", "test", "given"), "test loss"),
        (("m-coherence", "train", "given"), "m-coherence"),
        (("m-coherence", "test", "given"), "test m-coherence"),
        (("weight norm", "", ""), "weight norm"),
    ],
)
def test_what_probes_measure_has_the_catalogues_names(measured, name):
    assert quantities.name_of(*measured) == name


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no quantity is called 'accuracy'; the catalogue has train accuracy"):
        quantities.meanings("accuracy")


def test_what_the_probes_of_the_engine_say_is_in_the_catalogue():
    """The names that a probe's docstring promises; a probe with a new quantity needs a line in the catalogue."""
    told = {
        probes.Accuracy: ["accuracy"],
        probes.MeanLoss: ["loss"],
        probes.WeightNorm: ["weight norm"],
        probes.DistanceFromInitialisation: ["distance"],
        probes.Sharpness: ["sharpness"],
        probes.HessianTrace: ["Hessian trace"],
        probes.GradientCoherence: [
            "m-coherence",
            "m-coherence at equal size",
            "off-diagonal coherence",
            "gradient norm",
            "gradient cosine",
        ],
    }
    for probe, names in told.items():
        assert probe(at=Epochs())
        for name in names:
            assert f'"{name}"' in probe.__doc__ or name.lower() in probe.__doc__.lower(), (probe, name)
            assert quantities.name_of(name, "train", "given") in quantities.CATALOGUE
