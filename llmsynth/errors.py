"""The one error tree: what a caller can catch, and what each failure tells a person.

LlmsynthError
├── InputError (ValueError)          something the user gave is wrong
│   ├── TableError                   a table cannot be read as it stands
│   ├── SchemaError                  a schema contradicts itself or the table
│   ├── ConditionError               a condition names what the schema cannot hold
│   └── SettingsError                a setting is out of its range
├── BundleError (ValueError)         a saved synthesizer is missing, broken or foreign
├── ModelError (ValueError)          a pretrained model is missing, broken or unfit
├── OutOfMemoryError (MemoryError)   even one row at a time does not fit the device
├── NotFittedError (RuntimeError)    fit() or load() has to come first
├── TrainingError (RuntimeError)     the model could not be trained
├── PrivacyError (RuntimeError)      a privacy claim cannot be made, so nothing was fitted
├── SamplingError (RuntimeError)     no rows could be drawn
├── EngineError (RuntimeError)       what runs the model cannot be reached, or refuses
└── MissingExtraError (ImportError)  an optional package is not installed
"""

from __future__ import annotations


class LlmsynthError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        message: what was expected and what came instead, with its place.
        hint: what to do about it; the class default when omitted.
    """

    hint: str = ""
    retryable: bool = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class InputError(LlmsynthError, ValueError):
    """Something the user gave is wrong."""


class TableError(InputError):
    """A table cannot be read as it stands; the message names file, line or column."""


class SchemaError(InputError):
    """A schema contradicts itself, or the table it is used with."""

    hint = "Correct the schema (`llmsynth schema TABLE > schema.json` writes a fresh one)."


class ConditionError(InputError):
    """A condition names a column or value that the schema cannot hold."""

    hint = "`llmsynth inspect DIR` lists the columns and the values they can take."


class SettingsError(InputError):
    """A setting is out of its range."""


class BundleError(LlmsynthError, ValueError):
    """A saved synthesizer is missing, broken or written by something else."""


class ModelError(LlmsynthError, ValueError):
    """A pretrained model is missing, truncated, or does not fit its tokenizer or the table."""


class OutOfMemoryError(LlmsynthError, MemoryError):
    """The device's memory does not hold even the smallest batch."""

    hint = "Use a smaller model or shorter rows, or a device with more memory."


class NotFittedError(LlmsynthError, RuntimeError):
    """A synthesizer was asked for rows before it had learned a table."""

    hint = "Call fit(table) first, or load a saved one with Synthesizer.load(dir)."


class TrainingError(LlmsynthError, RuntimeError):
    """The model could not be trained on this table."""


class TooLittleLearnedWarning(UserWarning):
    """A time limit ended a fit before the model had learned much."""


class PrivacyError(LlmsynthError, RuntimeError):
    """A differential privacy claim cannot be made or kept."""


class SamplingError(LlmsynthError, RuntimeError):
    """No rows could be drawn under the given conditions and constraints."""


class EngineError(LlmsynthError, RuntimeError):
    """What runs the model cannot be reached, failed, or refuses the request."""

    retryable = True


class MissingExtraError(LlmsynthError, ImportError):
    """An optional package is needed and not installed."""
