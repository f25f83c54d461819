"""Tables of counts by region and date, read or simulated.

In order: `config`, `panel`, `places`, `csv` (text to rows and cells), `layouts`, `simulate`, `load`.
"""
