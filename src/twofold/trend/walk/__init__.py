"""Walk-forward backtests, in order: `config`, `schedule`, `models` (one refit), `pool`, `account` (`scores.json`)."""
