from repr.evaluation.statistics import Metric
from repr.evaluation.words import p_value, percent, points, rate


def test_rates_in_per_cent() -> None:
    assert percent(0.5214, 0.006) == "52.1 ± 0.6"
    assert percent(0.5) == "50.0"
    assert percent(None) == "–"


def test_figures_of_several_seeds() -> None:
    assert rate(Metric(0.5214, 0.006, (0.52, 0.5214, 0.5228))) == "52.1 ± 0.6"
    assert rate(Metric(0.5214, 0.018, (0.52, 0.5228))) == "52.1", "an interval of two values is as wide as a guess"
    assert rate(Metric(0.5, 0.1, (0.45, 0.55, None))) == "50.0" and rate(Metric(0.5, 0.1, (None,) * 5)) == "50.0 ± 10.0", "five, not kept"
    assert rate(Metric(0.5, None, (0.5,))) == "50.0"
    assert rate(None) == "–"


def test_differences_keep_their_sign() -> None:
    assert points(0.0123, 0.004) == "+1.2 ± 0.4"
    assert points(-0.2) == "-20.0"
    assert points(None) == "–"


def test_small_p_values_are_not_called_zero() -> None:
    assert [p_value(p) for p in (None, 0.5, 0.0123, 0.0004)] == ["–", "0.500", "0.012", "< 0.001"]
