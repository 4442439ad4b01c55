"""Python compiles every Python file of a bundle, without a warning."""

from bundle import output, run

PROVES = "Python compiles every Python file, without a warning"
SCRIPT = "import sys; compile(open(sys.argv[1], encoding='utf-8').read(), sys.argv[1], 'exec')"


def judge(tree, verdict):
    for file in sorted(tree.path.rglob("*")):
        if file.is_file() and (file.suffix == ".py" or b"python" in file.read_bytes()[:64].partition(b"\n")[0]):
            verdict.judged(file)
            done = run(["python3", "-W", "error", "-c", SCRIPT, file])
            if done.returncode:
                verdict.problem(file, output(done))
