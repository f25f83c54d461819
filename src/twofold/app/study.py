"""The page of the repeated original study: its answer, and each network's accuracy beside the rule that needs none."""

from twofold.app.runs import Run
from twofold.page.template import render


def page(run: Run) -> str:
    """The page of a study."""
    from twofold.trend.report import wording
    from twofold.trend.report.original import OriginalView, above, setting

    study = run.json("study.json")
    view, unit = OriginalView(study), wording.unit(study["data"]["step_days"])
    rows = [(setting(row, unit), row["test_accuracy"], above(row), row["test_auc"]) for row in study["grid"]]
    return render("app/templates/study.html.j2", run=run.summary(), study=study, gains=view.gains, rows=rows, unit=unit)
