"""HAProxy reads every haproxy.cfg, without a warning."""

from bundle import allow_list, output, run

PROVES = "haproxy -c accepts every haproxy.cfg, without a warning"


def judge(tree, verdict):
    allowed = allow_list("haproxy")
    for host in tree.hosts:
        for file in host.files("haproxy.cfg"):
            verdict.judged(file)
            done = run(["haproxy", "-c", "-f", file])
            if done.returncode:
                verdict.problem(file, output(done))
            else:
                verdict.refuse_lines(file, output(done), allowed)
