"""Sends logs with a key of IBM's through IBM's own authenticator: it fetches the token, and the next one in time.

Arguments: the URL of the gateway, the seconds to go on for. The key is in INGESTION_API_KEY.
"""

import hashlib
import json
import os
import sys
import time

import requests
from ibm_cloud_sdk_core import ApiException
from ibm_cloud_sdk_core.authenticators import IAMAuthenticator

URL = sys.argv[1]
SECONDS = float(sys.argv[2])
LOGS = [{"applicationName": "shop", "subsystemName": "checkout", "severity": 3, "text": "sold"}]


def tell(status, what):
    print(json.dumps({"status": str(status), "what": what}), flush=True)


def send(authenticator):
    request = {"headers": {}}
    try:
        authenticator.authenticate(request)
    except ApiException as error:
        return tell("failed", f"{error.status_code} {error.message}")
    except Exception as error:
        return tell("failed", str(error))
    token = hashlib.sha256(request["headers"]["Authorization"].encode()).hexdigest()[:8]
    try:
        response = requests.post(URL + "/logs/v1/singles", json=LOGS, headers=request["headers"], timeout=10)
    except requests.RequestException as error:
        return tell("failed", str(error))
    return tell(response.status_code, token)


iam = IAMAuthenticator(os.environ["INGESTION_API_KEY"], url=URL)
until = time.monotonic() + SECONDS
while True:
    send(iam)
    if time.monotonic() >= until:
        break
    time.sleep(0.5)
