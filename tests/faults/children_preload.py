"""What the process that all children are forked from imports; nothing of it runs TensorFlow yet."""

import commands

import osmn.online
import osmn.segmenting
import osmn.validation  # noqa: F401

for command in commands.COMMANDS.values():
    command.main()
