"""The version of this program, which results note as what made them."""

__version__ = "1.0.0"
