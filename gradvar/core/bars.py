"""tqdm's bar, of a terminal or of a notebook. A module of its own: imported where a bar is drawn, for its time."""

import warnings

with warnings.catch_warnings():
    # A notebook without ipywidgets has the bar of a terminal, and need not be warned of that where none is shown.
    warnings.filterwarnings("ignore", message="IProgress not found")
    from tqdm.auto import tqdm as tqdm
