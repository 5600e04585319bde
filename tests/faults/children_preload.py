"""What the process that all children are forked from imports; nothing of it runs TensorFlow yet."""

import commands

for command in commands.COMMANDS.values():
    command.main()
