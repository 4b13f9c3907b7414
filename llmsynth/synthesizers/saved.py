"""A synthesizer's settings and its learner, back from a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from llmsynth.bundle.bundle import Bundle, has_compact_model
from llmsynth.bundle.owner import OwnerFolder
from llmsynth.errors import BundleError
from llmsynth.synthesizers.compact_learner import CompactLearner
from llmsynth.synthesizers.learner import Learner
from llmsynth.synthesizers.plain_fit import COMPACT
from llmsynth.synthesizers.text_settings import TextSettings


class SavedSettings(TypedDict):
    """What a synthesizer needs to read tables and draw rows as it did when it was saved."""

    model: str
    target: str | None
    missing: list[str]
    context: list[str]


def saved_settings(bundle: Bundle, folder: Path) -> SavedSettings:
    """The settings that the bundle's configuration names.

    Raises:
        BundleError: it was written by something else, or lacks one.
    """
    own = bundle.config.get("llmsynth")
    if not isinstance(own, dict):
        raise BundleError(f"{folder}: config.json was not written by llmsynth.")
    try:
        return SavedSettings(
            model=own["text"]["base"]["name"] if "text" in own else COMPACT,
            target=own["target"],
            missing=own["missing"],
            context=own.get("context", []),
        )
    except (KeyError, TypeError) as error:
        raise BundleError(f"{folder}: config.json lacks or breaks {error}.") from error


def saved_learner(
    bundle: Bundle, folder: Path, model: str, text: TextSettings, owner: OwnerFolder
) -> Learner:
    """The learner that the bundle holds.

    Raises:
        BundleError: the bundle is broken.
        ModelError: the pretrained model it was fitted on is not on this machine.
    """
    if model == COMPACT and has_compact_model(bundle.config):
        return CompactLearner.load(bundle, folder)
    # Reaches transformers and peft, which take seconds to load.
    from llmsynth.synthesizers.text_learner import TextLearner

    return TextLearner.load(bundle, folder, text, owner)
