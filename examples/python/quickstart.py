"""Signs in, validates, refreshes and replaces the token, and reads a report.

EVRIM_URL=… EVRIM_USERNAME=… EVRIM_PASSWORD=… python3 quickstart.py
"""

import os
import sys

from evrim import AuthenticationError, Evrim, EvrimError


def main() -> int:
    try:
        url, username, password = (os.environ["EVRIM_" + name] for name in ("URL", "USERNAME", "PASSWORD"))
    except KeyError as missing:
        print(f"set {missing.args[0]}", file=sys.stderr)
        return 1
    try:
        with Evrim(url, username, password, timeout=30) as client:
            print("signed in to", url)
            print("the token is", "valid" if client.validate_token() else "not valid")
            client.refresh_token()
            print("the access token was refreshed")
            client.set_token()
            print("both tokens were replaced")

            report = client.get("reports/1/")
            title, sections = report.string("/report/title"), report.count("/report/sections")
            print(f'report 1 is "{title}", in {sections} sections')

            tokens = client.tokens()
        with Evrim.from_token(url, tokens.access, tokens.refresh) as resumed:
            print("resumed without a password;", len(resumed.get("runs/").json()), "runs")
    except AuthenticationError as error:
        print("check the user name and password:", error, file=sys.stderr)
        return 1
    except EvrimError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
