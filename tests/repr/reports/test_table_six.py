"""Table 6 as the paper prints it: changes over the flat net, and their mean."""

from __future__ import annotations

from repr.classify.paper import of_paper, read_paper
from repr.classify.settings import Settings
from repr.classify.summary import summarise
from repr.experiments.trials import NotRun, Trial, Wanted
from repr.reports.table_six import improvements


def test_changes_and_their_mean_over_features_that_have_both() -> None:
    """ResNet-50 and BERT below two nets on two levels; BERT has no flat one on the first."""
    tops = {("resnet50", "flat", 1): 0.5, ("resnet50", "rnn", 1): 0.55, ("bert", "rnn", 1): 0.9, ("resnet50", "rnn", 2): 0.1}
    rows = []
    for (model, net, level), top1 in tops.items():
        trial = Trial({"top1": top1}, {"held_out": True})
        rows.append(summarise(Settings(model=model, hierarchy=net, level=level), [(Wanted(0, 0, model, ""), trial)]))
    rows.append(summarise(Settings(model="bert", hierarchy="flat", level=1), [(Wanted(0, 0, "bert", ""), NotRun("x"))]))
    papers = [of.top1 if of else None for of in of_paper("6", [row.config for row in rows], read_paper(""))]
    (caption, header, cells), (_, _, paper) = improvements(rows, papers, {})
    assert "level 1" in caption and header == ["features", "baseline", "rnn"]
    resnet, bert, mean = cells
    assert resnet[1:] == ["50.00", "55.00 (+5.00)"] and bert[1:] == ["–", "90.00"] and mean == ["average improvement", "", "+5.00"]
    assert [row[:2] for row in paper[:-1]] == [["resnet50", "88.81"], ["bert", "98.76"]]
