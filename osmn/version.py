"""The version of this program; results note which version made them."""

__version__ = "1.0.0"
