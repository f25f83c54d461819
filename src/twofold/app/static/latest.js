// What a run's page asks of the server while a slider moves.
"use strict";

// Runs a task again and again, one at a time: of all that was asked meanwhile only the newest. `say` tells what failed.
function latest(say, task) {
  let [busy, again] = [false, false];
  return async () => {
    if (busy) { again = true; return; }
    busy = true;
    do {
      again = false;
      try { await task(); } catch (error) { say(error.message); }
    } while (again);
    busy = false;
  };
}
