"""A scratch PostgreSQL reads the pg_hba lines and takes the parameters of each Patroni configuration."""

from pathlib import Path

from patroni_config import configs, dynamic_configs
from scratch import Server, check_settings

PROVES = "PostgreSQL 17 finds no error in any pg_hba line, and takes every parameter"
WEIGHT = 4
RULES = Path("/tmp/pg_hba.conf")


def judge(tree, verdict):
    found = [pair for host in tree.hosts for pair in configs(host, verdict)]
    plain = [file for host in tree.hosts for file in host.files("pg_hba.conf")]
    if not found:
        return
    # It reads these lines when it starts; what it thinks of others, it tells without obeying them.
    RULES.write_text("local all all trust\n")
    RULES.chmod(0o644)
    with Server(hba_file=RULES) as server:
        for file, content in found:
            verdict.judged(file)
            judge_rules(file, content["postgresql"].get("pg_hba", []), (server, verdict))
        for file in plain:
            verdict.judged(file)
            judge_rules(file, file.read_text().splitlines(), (server, verdict))
    for file, content in found:
        judge_parameters(file, content, verdict)


def judge_rules(file, lines, server_and_verdict):
    server, verdict = server_and_verdict
    RULES.write_text("".join(line + "\n" for line in lines))
    rows = server.query("select line_number, coalesce(error, '') from pg_hba_file_rules")
    for number, error in rows:
        if error:
            verdict.problem(file, f"pg_hba line {lines[int(number) - 1]!r}: {error}")
    rules = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    verdict.differs(file, "pg_hba rules", len(rules), len(rows))


def judge_parameters(file, content, verdict):
    parameters = dict(content["postgresql"].get("parameters", {}))
    for dynamic in dynamic_configs(file, content):
        verdict.judged(dynamic[0])
        parameters = dynamic[1].get("postgresql", {}).get("parameters", {}) | parameters
    complaint = check_settings({key: str(value).lower() if isinstance(value, bool) else value for key, value in parameters.items()})
    if complaint:
        verdict.problem(file, f"parameters: {complaint}")
