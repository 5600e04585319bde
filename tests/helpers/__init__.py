"""What several test files use: data to write, stand-ins for networks, readers of what scripts leave."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
