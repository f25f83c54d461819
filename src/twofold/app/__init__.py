"""`twofold app`: the runs of a folder in the browser, read-only, and their models at work.

In order: `problems` (typed errors), `guard` (who may ask, and how much), `runs` (what lies in the folder), `models`
(open models), `vae`, `sweep`, `trend`, `study` and `hub` (the pages of one run each, and their part of the API),
`table` (tables of one's own, read by the child process `bounded`), `compare` (two runs), `server`, `connections` (how
long a client may take to ask), `commands`. Only `cli` imports it. FastAPI and uvicorn are an extra, `twofold[app]`;
torch, polars and matplotlib are imported when a page first needs them.
"""
