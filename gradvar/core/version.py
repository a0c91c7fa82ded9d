"""The version, for the package's front and for the records of sweeps."""

__version__ = "0.1.0"
