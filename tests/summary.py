"""Reads a trial log and tells in a few lines how the run went; what was skipped is named with its reason."""

import re
import sys
from pathlib import Path


def main(path: str) -> int:
    text = Path(path).read_text(errors="replace")
    total = re.search(r"^Ran (\d+) tests? in ([\d.]+)s", text, re.MULTILINE)
    if total is None:
        print(text[-4000:])
        print("check: trial did not come to its end")
        return 1
    counts = dict.fromkeys(("skips", "failures", "errors", "expectedFailures", "unexpectedSuccesses", "successes"), 0)
    last = re.search(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", text, re.MULTILINE)
    for name, count in re.findall(r"(\w+)=(\d+)", last[1] or "" if last else ""):
        counts[name] = int(count)
    failed = counts["failures"] + counts["errors"] + counts["unexpectedSuccesses"]
    for line in re.findall(r"figure: .*$", text, re.MULTILINE):
        print(line)
    # Below the run itself trial lists what was skipped and what failed, each with the tests' names.
    tail = text.split("=" * 79, 1)
    if len(tail) == 2:
        print("=" * 79 + tail[1].rsplit("-" * 79, 1)[0])
    print(f"in {total[2]} s")
    print(f"{counts['successes']} passed, {failed} failed, {counts['skips']} skipped")
    return 1 if failed or counts["successes"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
