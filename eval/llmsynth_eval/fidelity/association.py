"""How strongly two columns go together, on one scale for numbers and categories."""

from __future__ import annotations

import numpy as np

from llmsynth_eval.cells import Floats
from llmsynth_eval.coded_table import Codes


def associations(codes: Codes, num_bins: list[int]) -> Floats:
    """Bias-corrected Cramér's V of every two columns of bin codes.

    Args:
        codes: int64 of shape (columns, rows), as `bins.bin_tables` gives them.
        num_bins: bins of each column.

    Returns:
        Symmetric matrix in [0, 1], 1 on the diagonal.

    Source: Bergsma (2013), Journal of the Korean Statistical Society 42, 323-328.
    """
    out = np.eye(len(codes))
    for i in range(len(codes)):
        for j in range(i):
            out[i, j] = out[j, i] = cramers_v(codes[i], codes[j], num_bins[i], num_bins[j])
    return out


def cramers_v(first: Codes, second: Codes, num_first: int, num_second: int) -> float:
    """Bias-corrected Cramér's V of two code columns; 0 where one of them is constant."""
    num_rows = len(first)
    first_sizes = np.bincount(first, minlength=num_first)
    second_sizes = np.bincount(second, minlength=num_second)
    joint, sizes = np.unique(first * num_second + second, return_counts=True)
    expected = first_sizes[joint // num_second] * second_sizes[joint % num_second] / num_rows
    # sum over all cells of (n - e)^2 / e is sum of n^2 / e less the number of rows
    phi = max(0.0, float((sizes**2 / expected).sum()) / num_rows - 1)
    rows, columns = int((first_sizes > 0).sum()), int((second_sizes > 0).sum())
    if min(rows, columns) < 2 or num_rows < 2:
        return 0.0
    corrected = max(0.0, phi - (rows - 1) * (columns - 1) / (num_rows - 1))
    height = rows - (rows - 1) ** 2 / (num_rows - 1)
    width = columns - (columns - 1) ** 2 / (num_rows - 1)
    limit = min(height, width) - 1
    return min(1.0, float(np.sqrt(corrected / limit))) if limit > 0 else 0.0
