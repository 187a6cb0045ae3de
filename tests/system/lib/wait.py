"""Waiting for real conditions with a deadline, never for a guessed time."""

import time


def wait_for(predicate, deadline: float = 15, what: str = "", pause: float = 0.02):
    """Polls until predicate() is true and returns what it returned.

    An exception of the predicate's last look is shown when time is up, so that
    a predicate may simply assert.
    """
    end = time.monotonic() + deadline
    while True:
        error = None
        try:
            result = predicate()
            if result:
                return result
        except (AssertionError, OSError, LookupError, ValueError) as e:
            error = e
        if time.monotonic() > end:
            name = what or getattr(predicate, "__name__", "condition")
            raise TimeoutError(f"not within {deadline} s: {name}") from error
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)
