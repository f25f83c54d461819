"""Scores of probabilities, for all studies that forecast.

In order: `bootstrap` (intervals and paired comparisons), `binary`, `categories`.
"""
