"""`twofold app`: the runs of a folder in the browser, read-only, and the models of vae runs at work.

In order: `problems` (typed errors), `guard` (who may ask, and how much), `runs` (what lies in the folder), `server`,
`commands`. Only `cli` imports it. FastAPI and uvicorn are an extra, `twofold[app]`; torch and polars are imported when
they are first needed.
"""
