"""Every plan that once failed holds now.

    tests/sim/corpus_test.py DRUMLIN_SIM
"""

import json
import pathlib
import subprocess
import sys


def main(binary):
    plans = sorted(pathlib.Path("scenarios/corpus").glob("*.plan"))
    assert plans, "no plans in scenarios/corpus"
    failed = 0
    for plan in plans:
        process = subprocess.run([binary, "replay", plan], capture_output=True, text=True, check=False)
        report = json.loads(process.stdout.splitlines()[-1])
        good = process.returncode == 0 and report["outcome"] == "pass"
        failed += not good
        print(f"{plan.name}: {report['outcome']} {report['class']} {report.get('detail', '')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
