"""Result folders: which files lie where, what made them and which are finished; submissions to YouTube-VOS."""
