"""Tuning: trials of a study's settings over a stated space, under a budget of time, chosen on validation data alone.

In order: `config`, `space`, `store`, `search`; a study's `tune.py` says what a trial is and what varies, its `commands`
know the page of `report` by those of this room.
"""
