"""The one machine for whoever measures: trials are computed once, kept, found again, summarised over seeds and compared.

The words. A **config** is one row of a table to be: its settings by name, flat JSON values. A **trial** is a config with one seed. What
a trial's numbers depend on (data, split, weights by content, settings, seed, version of the code) has a content **key**; the **store** is
a folder with one file a trial, named by the key, written whole or not at all. So a run that was interrupted, or is repeated with more
rows or seeds, finds what is done (`trials.run`). The trials of a config over the seeds become a **row**: each metric with mean, 95 %
interval and the values; rows whose trials share seeds and splits are **compared** by a paired t-test. Rows and comparisons are the
**document** that a run leaves as results.json, that `--json` prints and that `repr compare` reads, whoever wrote it.

    trials.py     Wanted, Trial, Store, key, run: from what is wanted to what was found
    summary.py    summarise, compared: from trials to rows, from rows to comparisons
    document.py   Document, Row, TrialFile, Comparison: one schema, read and written here alone

A kind of experiment brings four things of its own and nothing else:

    wanted = [Wanted(row, seed, name="lda", key=key(VERSION, seed, {...}), split=...) for row, seed in ...]
    found = run(wanted, compute, Store(folder / TRIALS))                      # compute(wanted) -> Trial, or raises NotRun
    rows = [summarise(config, [pair for pair in zip(wanted, found) if pair[0].row == i]) for i, config in enumerate(configs)]
    write(folder, Document(command, data, synthetic, tuple(rows), tuple(compared(rows, 1, 0, ("top1",), against="flat"))))
"""
