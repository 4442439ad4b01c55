"""shellcheck finds nothing in any shell script, which its shebang makes one."""

import re

from bundle import run

PROVES = "shellcheck finds nothing in any shell script"
SHEBANG = re.compile(rb"#!\s*\S*/(env\s+)?(ba|da|k)?sh\b")


def judge(tree, verdict):
    scripts = [p for p in sorted(tree.path.rglob("*")) if p.is_file() and (p.suffix == ".sh" or SHEBANG.match(p.read_bytes()[:64]))]
    for file in scripts:
        verdict.judged(file)
        if not SHEBANG.match(file.read_bytes()[:64]):
            verdict.problem(file, "has no shebang")
    # The same script lies on many hosts: shellcheck is slow, and one look is enough.
    contents = {file.read_bytes(): file for file in reversed(scripts)}
    for file in sorted(contents.values()):
        done = run(["shellcheck", "--format=gcc", file])
        if done.returncode:
            verdict.problem(file, done.stdout.replace(f"{file}:", "line ") + done.stderr)
