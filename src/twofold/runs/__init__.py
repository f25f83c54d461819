"""Run folders seen from outside: which there are, what they hold, how two of them differ.

`kinds` knows where each kind keeps its scores, `folder` finds and reads run folders, `paired` sets two runs against
each other case by case, `commands` prints.
"""
