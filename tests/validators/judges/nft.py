"""The kernel's own parser takes every .nft file."""

from bundle import output, run

PROVES = "nft -c -f accepts every .nft file"


def judge(tree, verdict):
    for host in tree.hosts:
        for file in host.files("*.nft"):
            verdict.judged(file)
            done = run(["nft", "-c", "-f", file])
            if done.returncode or output(done).strip():
                verdict.problem(file, output(done))
