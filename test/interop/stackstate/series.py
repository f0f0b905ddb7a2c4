"""Sends one point by the client library whose protocol StackState's agent has inherited, and says what became of it."""

import sys

from datadog import api, initialize

_, host, key = sys.argv
initialize(api_key=key, api_host=host, mute=False, hostname_from_config=False, host_name="interop")
try:
    said = api.Metric.send(metric="interop.points", points=[(1700000000, 1)])
    print("accepted" if not said else f"returned {said}")
except Exception as error:  # whatever it makes of a refusal
    print(f"{type(error).__name__}: {error}")
