"""What a classifier tells apart: machine x section x domain x attribute."""

import pandas as pd


def class_names(clips: pd.DataFrame) -> pd.Series:
    """Name the class of each clip.

    Parameters
    ----------
    clips : pd.DataFrame
        Rows of the clip table with the column ``label`` (given or pseudo-attribute, empty where there is none).

    Returns
    -------
    pd.Series of str
        ``machine|section|domain|label``.
    """
    return clips["machine"] + "|" + clips["section"] + "|" + clips["domain"] + "|" + clips["label"]
