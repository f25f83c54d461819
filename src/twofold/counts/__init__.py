"""Tables of counts by region and date, read or simulated.

In order: `config`, `panel`, `places`, `files` (a file, unpacked), `csv` (text to rows), `numbers`, `dates` (columns of
cells), `layouts` (what a column holds), `aggregates` (sums of regions), `entries` (rows to counts), `grid` (counts to a
panel, and its gaps), `suspicions`, `simulate`, `load`; `renewal` (the reproduction number from counts).
"""
