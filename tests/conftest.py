"""Settings of hypothesis for every test."""

from hypothesis import settings

# A slow moment of the machine is no fault of the code.
settings.register_profile("llmsynth", deadline=None)
settings.load_profile("llmsynth")
