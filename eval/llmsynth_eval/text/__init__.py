"""What a column of free text is like, what it says, and whom it repeats."""

from llmsynth_eval.text.embedders import Embedder, HashedWords, MiniLm
from llmsynth_eval.text.measure import measure_text
from llmsynth_eval.text.text_comparison import TextComparison

__all__ = ["Embedder", "HashedWords", "MiniLm", "TextComparison", "measure_text"]
