"""`llmsynth privacy DIR`, `plan`, `audit`: what was spent, will be, and can be proved to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from llmsynth.cli.failures import reported
from llmsynth.cli.one_run_bound import proved
from llmsynth.cli.privacy_words import ledger_lines
from llmsynth.cli.progress_bar import ProgressBar
from llmsynth.cli.record import part
from llmsynth.errors import BundleError
from llmsynth.privacy.ledger import KEY
from llmsynth.privacy.settings import PrivacySettings
from llmsynth.privacy.spending_ledger import SpendingLedger
from llmsynth.schema import TableSchema
from llmsynth.tables import read_table


class _FolderOrCommand(TyperGroup):
    """A group whose first word, where it is no command, is the folder to tell about."""

    # Its types are typer's own copy of click, which has no public name.
    def resolve_command(self, ctx, args):  # type: ignore[no-untyped-def]
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


privacy_app = typer.Typer(
    cls=_FolderOrCommand,
    no_args_is_help=True,
    help="Tell what a private synthesizer spent (`llmsynth privacy DIR`), plan, or audit.",
)


def show_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `llmsynth fit` wrote.")],
) -> None:
    """Tell in plain words what a synthesizer spent of its table's privacy."""
    # Reaches torch, which takes seconds to load.
    from llmsynth.bundle.bundle import Bundle

    record = Bundle.load(folder).provenance
    ledger = part(record, KEY)
    if not ledger:
        raise BundleError(
            f"{folder} was fitted without differential privacy: {record.get('privacy')}",
            hint="`llmsynth fit --epsilon E` fits with it.",
        )
    lines = confirmation(folder)
    for line in [*ledger_lines(ledger), *lines]:
        typer.echo(line)


def confirmation(folder: Path) -> list[str]:
    """Whether the owner's ledger confirms a bundle's account, in words.

    Raises:
        PrivacyError: the ledger was told of other weights or another account.
    """
    ledger = SpendingLedger()
    entry = ledger.check(folder) if ledger.exists else None
    if entry is None:
        why = "does not know this synthesizer" if ledger.exists else "is not there"
        return [f"NOT CONFIRMED: the ledger in {ledger.folder} {why}; anyone may have edited this."]
    total, fits = ledger.spent(str(entry["id"]))
    return [
        f"Confirmed by the ledger in {ledger.folder}, by the hash of the weights.",
        f"Begun on this data set, wherever: {fits} private fits, epsilon {total:.4g} added up.",
    ]


def plan_command(
    rows: Annotated[int, typer.Option(help="Units: rows, or entities, of the table to come.")],
    epsilon: Annotated[float, typer.Option(help="What may be spent.")],
    delta: Annotated[
        float | None, typer.Option(help="1 / (10 rows) as a power of ten when omitted.")
    ] = None,
    columns: Annotated[int, typer.Option(help="Columns of the table.")] = 15,
    rows_per_entity: Annotated[int, typer.Option(help="Most rows of one entity.")] = 1,
) -> None:
    """Say before any training what noise a fit will have, and what that lets through."""
    # Reaches torch, which takes seconds to load.
    from llmsynth.synthesizers.private_plan import plan_lines

    entity = "entity" if rows_per_entity > 1 else None
    settings = PrivacySettings(
        epsilon=epsilon, delta=delta, entity=entity, rows_per_entity=rows_per_entity
    )
    for line in plan_lines(settings, num_units=rows, num_columns=columns):
        typer.echo(line)


def audit_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Table to audit a fit of.")],
    epsilon: Annotated[float, typer.Option(help="What the fit claims.")],
    delta: Annotated[float | None, typer.Option(help="As for `fit`.")] = None,
    schema: Annotated[Path | None, typer.Option(help="As for `fit`.")] = None,
    target: Annotated[str | None, typer.Option(help="As for `fit`.")] = None,
    missing: Annotated[list[str] | None, typer.Option(help="As for `fit`.")] = None,
    canaries: Annotated[int, typer.Option(help="Planted rows, each by a fair coin.")] = 400,
    seed: Annotated[int, typer.Option(help="Of everything but the noise.")] = 0,
) -> None:
    """Plant canaries, fit twice, attack, and print what the attacks prove of epsilon.

    The result is a lower bound on what was spent, with 95% confidence, and never a certificate.
    """
    typed = TableSchema.read(schema) if schema is not None else None
    rows = read_table(table, missing=missing or ())
    # Reaches torch, which takes seconds to load.
    from llmsynth.synthesizers.privacy_audit import audit_scores

    with ProgressBar("audit") as bar:
        scores = audit_scores(
            rows,
            typed,
            PrivacySettings(epsilon=epsilon, delta=delta),
            target=target,
            num_canaries=canaries,
            seed=seed,
            progress=bar,
        )
    attacks = {"white box": scores.white_box, "synthetic rows only": scores.synthetic_only}
    typer.echo(f"Claimed: epsilon {scores.epsilon:.4g} at delta {scores.delta:g}.")
    for name, found in attacks.items():
        bound = proved(found.tolist(), scores.planted.tolist(), delta=scores.delta)
        typer.echo(
            f"{name}: {bound['num_correct']:.0f} of {bound['num_guesses']:.0f} guesses right, "
            f"which proves epsilon of at least {bound['epsilon']:.3g} with 95% confidence."
        )
    typer.echo("A lower bound shows what leaks at least; it never certifies that no more does.")


privacy_app.command("show")(reported(show_command))
privacy_app.command("plan")(reported(plan_command))
privacy_app.command("audit")(reported(audit_command))
