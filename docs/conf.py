"""How Sphinx builds the book: `python -m sphinx -W --keep-going -b html docs docs/_build/html`."""

import sys
from pathlib import Path

import gradvar

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "gradvar"
author = "The gradvar developers"
copyright = "2026, the gradvar developers. BSD-3-Clause"
version = release = gradvar.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx-mathjax-offline",
    "docstrings",
    "claims",
    "gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

# Pages: MyST Markdown, and notebooks that are executed once and kept by their text (docs/_build/.jupyter_cache).
myst_enable_extensions = ["amsmath", "attrs_block", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_raise_on_error = True
nb_execution_in_temp = True  # what a page saves goes there
nb_execution_timeout = 600  # a cell takes seconds, and its share of a crowded machine
nb_merge_streams = True

# Reference: what the docstrings say, with links to the source.
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
default_role = "py:obj"

copybutton_selector = "div:not(.formula) > div.highlight > pre"

html_theme = "furo"
html_title = "gradvar"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
