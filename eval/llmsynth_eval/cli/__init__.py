"""The command `llmsynth-eval`: judge, report and gate."""
